//! Which partitions a source reads, and from where.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::{Source, SourceError, StartAt};

use crate::{Kafka, Seen, fill, read_until, unique};

#[test]
fn an_owner_that_keeps_its_own_offsets_says_where_to_begin() {
    let kafka = Kafka::start();
    let topic = unique("logs.own");
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 20);
    let owner = StartAt::Owner(Arc::new(|_, committed| {
        assert_eq!(committed, None, "nobody has committed in this group");
        Ok(Some(15))
    }));
    let (mut source, mut seen) = (kafka.source("own", &unique("group"), &[&topic], owner), Seen::default());
    read_until(&mut source, &mut seen, |_, polled| polled.caught_up);
    let offsets: Vec<i64> = seen.records.iter().map(|(_, offset, _)| *offset).collect();
    assert_eq!(offsets, [15, 16, 17, 18, 19]);
}

#[test]
fn an_owner_that_has_read_further_than_the_log_goes_is_told_that_the_log_is_another() {
    let kafka = Kafka::start();
    let topic = unique("logs.anew");
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 3);
    let owner = StartAt::Owner(Arc::new(|_, _| Ok(Some(5_000))));
    let (mut source, mut seen) = (kafka.source("anew", &unique("group"), &[&topic], owner), Seen::default());
    let began = Instant::now();
    let error = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody noticed");
        if let Err(error) = source.next_batch(&mut seen) {
            break error;
        }
    };
    assert!(matches!(&error, SourceError::Misconfigured(why) if why.contains("kafka.prefix")), "{error}");
    assert!(seen.records.is_empty());
}

#[test]
fn a_member_is_told_of_every_partition_before_it_reads_its_own() {
    for kafka in Kafka::of_each_protocol() {
        let (topic, group) = (unique("logs.all"), unique("group"));
        kafka.topic(&topic, 4);
        fill(&kafka, &topic, 40);
        let told = |seen: &Seen| {
            let of_topic = seen.announced.iter().filter(|partition| *partition.topic == *topic);
            of_topic.map(|partition| partition.partition).collect::<BTreeSet<_>>()
        };
        let (mut first, mut seen) =
            (kafka.source("first", &group, &[&topic], StartAt::Committed), Seen::default());
        read_until(&mut first, &mut seen, |seen, _| !seen.records.is_empty());
        assert_eq!(told(&seen), BTreeSet::from([0, 1, 2, 3]));
        // The second gets two of them, and hears of all.
        let (mut second, mut others) =
            (kafka.source("second", &group, &[&topic], StartAt::Committed), Seen::default());
        read_until(&mut second, &mut others, |others, _| {
            first.next_batch(&mut seen).unwrap();
            !others.records.is_empty()
        });
        assert_eq!(told(&others), BTreeSet::from([0, 1, 2, 3]));
        let own: BTreeSet<i32> = others.records.iter().map(|(partition, ..)| *partition).collect();
        assert!(own.len() < 4, "{own:?}");
    }
}

#[test]
fn a_topic_that_appears_later_is_noticed_by_its_pattern() {
    for kafka in Kafka::of_each_protocol() {
        let prefix = unique("late");
        let pattern = format!("^{prefix}\\.[a-z]+$");
        let (mut source, mut seen) =
            (kafka.source("late", &unique("group"), &[&pattern], StartAt::Committed), Seen::default());
        source.next_batch(&mut seen).unwrap();
        let topic = format!("{prefix}.new");
        kafka.topic(&topic, 1);
        fill(&kafka, &topic, 3);
        read_until(&mut source, &mut seen, |seen, _| seen.records.len() == 3);
    }
}

#[test]
fn two_members_share_the_partitions_and_the_rest_comes_back_when_one_leaves() {
    for kafka in Kafka::of_each_protocol() {
        let (topic, group) = (unique("logs.share"), unique("group"));
        kafka.topic(&topic, 4);
        let (mut one, mut seen_one) =
            (kafka.source("one", &group, &[&topic], StartAt::Committed), Seen::default());
        read_until(&mut one, &mut seen_one, |seen, _| seen.owned.len() == 4);
        let (mut two, mut seen_two) =
            (kafka.source("two", &group, &[&topic], StartAt::Committed), Seen::default());
        let began = Instant::now();
        while seen_one.owned.len() != 2 || seen_two.owned.len() != 2 {
            one.next_batch(&mut seen_one).unwrap();
            two.next_batch(&mut seen_two).unwrap();
            assert!(began.elapsed() < Duration::from_secs(60), "{:?} {:?}", seen_one.owned, seen_two.owned);
        }
        fill(&kafka, &topic, 400);
        let began = Instant::now();
        while seen_one.records.len() + seen_two.records.len() < 400 {
            one.next_batch(&mut seen_one).unwrap();
            two.next_batch(&mut seen_two).unwrap();
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        drop(two);
        read_until(&mut one, &mut seen_one, |seen, _| seen.owned.len() == 4);
    }
}
