//! Where somebody was, and how far it is from there to elsewhere.

use event::Observation;
use serde::{Deserialize, Serialize};

/// The radius of the Earth, in km.
const RADIUS_KM: f64 = 6_371.0;

/// A place, as a database or a source knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) lat: f64,
    pub(super) lon: f64,
    pub(super) country: Option<Box<str>>,
    pub(super) asn: Option<i64>,
}

impl Place {
    /// Where an observation came from, if that is known.
    pub(super) fn of(o: &Observation<'_>) -> Option<Self> {
        let is_degrees = |degrees: &f64, most: f64| degrees.abs() <= most;
        Some(Self {
            lat: o.src_lat.filter(|lat| is_degrees(lat, 90.0))?,
            lon: o.src_lon.filter(|lon| is_degrees(lon, 180.0))?,
            country: o.src_country.as_deref().map(Box::from),
            asn: o.src_asn,
        })
    }

    /// The shortest way, in km.
    pub(super) fn km_to(&self, other: &Self) -> f64 {
        let half_sine = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let cosines = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let haversine = half_sine(self.lat, other.lat) + cosines * half_sine(self.lon, other.lon);
        2.0 * RADIUS_KM * haversine.clamp(0.0, 1.0).sqrt().asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn km(from: (f64, f64), to: (f64, f64)) -> i64 {
        let place = |(lat, lon)| Place { lat, lon, country: None, asn: None };
        place(from).km_to(&place(to)).round() as i64
    }

    #[test]
    fn distances_are_those_of_great_circles() {
        let (berlin, sydney, new_york) = ((52.52, 13.405), (-33.87, 151.21), (40.71, -74.01));
        assert_eq!((km(berlin, berlin), km(berlin, new_york), km(berlin, sydney)), (0, 6_385, 16_095));
        assert_eq!(km((0.0, 179.5), (0.0, -179.5)), 111, "over the date line");
        assert_eq!(km((90.0, 0.0), (-90.0, 77.0)), 20_015, "from pole to pole");
    }
}
