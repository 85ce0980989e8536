//! Seeded chance: SplitMix64 (Steele, Lea, Flood 2014) and the few distributions the series need.

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, neither included.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub(crate) fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Heavy-tailed, at least 1; the smaller `shape`, the heavier.
    pub(crate) fn pareto(&mut self, shape: f64) -> f64 {
        self.unit().powf(-1.0 / shape)
    }

    /// A count with this mean and variance `mean + mean²/size` (negative binomial as a gamma-mixed
    /// Poisson, the gamma by a sum of exponentials).
    pub(crate) fn count(&mut self, mean: f64, size: u32) -> f64 {
        let gamma: f64 = (0..size).map(|_| self.exponential()).sum();
        self.poisson(mean * gamma / f64::from(size))
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let mut count = 0.0;
        let mut left = self.exponential();
        while left < mean {
            count += 1.0;
            left += self.exponential();
        }
        count
    }

    /// Moments for `count` events after the first fifth of a series, apart from each other.
    pub(crate) fn moments(&mut self, count: usize, length: usize) -> Vec<usize> {
        let room = 0.72 / count as f64;
        let at = |slot: usize, dice: &mut Self| {
            let share = 0.22 + room * (slot as f64 + dice.between(0.2, 0.8));
            (share * length as f64) as usize
        };
        (0..count).map(|slot| at(slot, self)).collect()
    }
}
