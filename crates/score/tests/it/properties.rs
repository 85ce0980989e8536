//! What holds for every series.

use proptest::prelude::*;
use score::{Scorer, score_csv};

use crate::series::{daily, scores};

fn series() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![8 => -100.0..100.0, 2 => Just(0.0), 1 => any::<f64>().prop_filter("finite", |v| v.is_finite())];
    prop::collection::vec(value, 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scores_lie_between_zero_and_one(values in series()) {
        for score in scores(values) {
            prop_assert!((0.0..=1.0).contains(&score), "{score}");
        }
    }

    #[test]
    fn nobody_looks_ahead(values in series(), share in 0.0..1.0) {
        let cut = (values.len() as f64 * share) as usize;
        prop_assert_eq!(&scores(values.clone())[..cut], &scores(values[..cut].to_vec())[..]);
    }

    #[test]
    fn the_unit_and_the_zero_do_not_matter(unit in 0.001..1000.0, zero in -1000.0..1000.0, length in 300..1500_usize) {
        let plain = scores((0..length).map(daily));
        let other = scores((0..length).map(|place| daily(place) * unit + zero));
        let near = plain.iter().zip(&other).filter(|(a, b)| (*a - *b).abs() < 0.08).count();
        prop_assert!(near as f64 >= 0.97 * length as f64, "{near} of {length}");
    }

    #[test]
    fn any_bytes_are_scored_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _summary = score_csv(&bytes[..], Vec::new());
        let after_header = [b"timestamp,value\n", &bytes[..]].concat();
        let _summary = score_csv(&after_header[..], Vec::new());
    }

    #[test]
    fn any_rows_are_scored_or_refused(rows in "(2014-04-0[1-9] 0[0-9]:00:00|[0-9]{1,20}|\"),(-?[0-9]{1,3}(e[0-9]{1,3})?|NaN|\"),?\n") {
        let _summary = score_csv(format!("timestamp,value\n{rows}{rows}").as_bytes(), Vec::new());
    }

    #[test]
    fn times_in_any_order_are_borne(seconds in prop::collection::vec(-100_000_000_000..100_000_000_000_i64, 0..300)) {
        let mut scorer = Scorer::new();
        for (place, seconds) in seconds.into_iter().enumerate() {
            let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert!((0.0..=1.0).contains(&scorer.score(time, place as f64 % 7.0)));
        }
    }
}
