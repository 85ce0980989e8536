//! What an operator sees and changes.

use std::time::Duration;

use kafka::admin::{Admin, AdminError, New, Place, Reset};
use kafka::tail::{Look, Record, Tail};
use kafka::{Connection, LogWriter, TransactionSink};
use pipeline::{Metrics, Sink, StartAt};
use prometheus_client::registry::Registry;

use crate::{Kafka, Seen, fill, out, read_until, unique};

fn look(topic: &str) -> Look<'_> {
    Look { topic, partition: None, uncommitted: false }
}

fn values(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|one| String::from_utf8_lossy(one.value.as_deref().unwrap_or_default()).into_owned())
        .collect()
}

fn rest(tail: &mut Tail) -> Vec<Record> {
    std::iter::from_fn(|| tail.until_end().unwrap()).collect()
}

#[test]
fn a_topic_is_made_described_configured_extended_and_deleted() {
    let kafka = Kafka::start();
    let admin = Admin::connect(&kafka.connection).unwrap();
    let topic = unique("logs.made");
    let settings = [("retention.ms".to_owned(), "3600000".to_owned())];
    let new = New { name: &topic, partitions: Some(2), replicas: None, settings: &settings };
    kafka.runtime.block_on(admin.create(&new)).unwrap();
    let again = kafka.runtime.block_on(admin.create(&new)).unwrap_err();
    assert!(
        matches!(&again, AdminError::Refused { cause, .. } if cause.contains("already exists")),
        "{again}"
    );

    fill(&kafka, &topic, 10);
    let described = admin.topic(&topic).unwrap();
    assert_eq!(described.partitions.len(), 2);
    assert_eq!(described.partitions.iter().map(|one| one.end - one.first).sum::<i64>(), 10);

    let changes = [("retention.bytes".to_owned(), Some("1000000".to_owned()))];
    kafka.runtime.block_on(admin.configure(&topic, &changes)).unwrap();
    let own = || {
        let settings = kafka.runtime.block_on(admin.settings(&topic)).unwrap();
        let own = settings.into_iter().filter(|setting| setting.is_own);
        own.map(|setting| (setting.name, setting.value.unwrap())).collect::<Vec<_>>()
    };
    let (bytes, ms) =
        (("retention.bytes".into(), "1000000".into()), ("retention.ms".into(), "3600000".into()));
    assert_eq!(own(), [bytes, ms.clone()], "what was set before stays");
    kafka.runtime.block_on(admin.configure(&topic, &[("retention.bytes".to_owned(), None)])).unwrap();
    assert_eq!(own(), [ms]);

    let nonsense = [("no.such.setting".to_owned(), Some("1".to_owned()))];
    let refused = kafka.runtime.block_on(admin.configure(&topic, &nonsense)).unwrap_err();
    assert!(refused.to_string().contains("no.such.setting"), "{refused}");

    kafka.runtime.block_on(admin.extend(&topic, 3)).unwrap();
    assert_eq!(admin.topic(&topic).unwrap().partitions.len(), 3);
    kafka.runtime.block_on(admin.delete(&topic)).unwrap();
    let gone = kafka.runtime.block_on(admin.delete(&topic)).unwrap_err();
    assert!(matches!(gone, AdminError::Missing(_)), "{gone}");
}

#[test]
fn a_look_at_a_topic_that_is_not_there_does_not_make_it() {
    let kafka = Kafka::start();
    let topic = unique("logs.typo");
    let missing = Tail::open(&kafka.connection, look(&topic)).err().unwrap();
    assert_eq!(missing.to_string(), format!("there is no topic {topic}"));
    let admin = Admin::connect(&kafka.connection).unwrap();
    assert!(admin.topics(|found| found.name == topic).unwrap().is_empty());
}

#[test]
fn a_group_is_seen_with_its_members_and_how_far_it_is_behind() {
    let kafka = Kafka::start();
    let (topic, group, id) = (unique("logs.group"), unique("group"), unique("id"));
    kafka.topic(&topic, 2);
    fill(&kafka, &topic, 20);
    let admin = Admin::connect(&kafka.connection).unwrap();
    let metrics = Metrics::register(&mut Registry::default());
    {
        let mut source = kafka.source("member", &group, &[&topic], StartAt::Committed);
        let mut sink = TransactionSink::new(&kafka.connection, "member", &id, &source, metrics).unwrap();
        read_until(&mut source, &mut Seen::default(), |_, polled| {
            sink.deliver(Vec::new(), &polled.positions).unwrap();
            polled.caught_up
        });
        fill(&kafka, &topic, 5);
        let seen = admin.group(&group).unwrap();
        assert_eq!((seen.state.as_str(), seen.members.len()), ("Stable", 1));
        let mut assigned = seen.members[0].assigned.clone();
        assigned.sort_unstable();
        assert_eq!(assigned, [(topic.clone(), 0), (topic.clone(), 1)]);
        let refused = admin.reset_group(&group, &topic, Place::First).unwrap_err();
        assert!(refused.to_string().contains("1 members"), "{refused}");
    }
    let offsets = admin.group_offsets(&group).unwrap();
    assert_eq!(offsets.iter().map(|one| one.committed).sum::<i64>(), 20);
    assert_eq!(offsets.iter().map(|one| one.lag).sum::<i64>(), 5);
}

#[test]
fn a_group_without_members_is_put_elsewhere_and_deleted() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.reset"), unique("group"));
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 20);
    let admin = Admin::connect(&kafka.connection).unwrap();
    let reset = |to: Place| admin.reset_group(&group, &topic, to).unwrap();
    assert_eq!(reset(Place::Offset(7)), [Reset { partition: 0, from: None, to: 7 }]);
    assert_eq!(reset(Place::End), [Reset { partition: 0, from: Some(7), to: 20 }]);
    assert_eq!(reset(Place::Offset(1_000)), [Reset { partition: 0, from: Some(20), to: 20 }]);
    assert_eq!(reset(Place::First), [Reset { partition: 0, from: Some(20), to: 0 }]);
    assert_eq!(admin.group_offsets(&group).unwrap()[0].lag, 20);
    kafka.runtime.block_on(admin.delete_group(&group)).unwrap();
    assert!(matches!(admin.group(&group), Err(AdminError::Missing(_))));
    let gone = kafka.runtime.block_on(admin.delete_group(&group)).unwrap_err();
    assert!(matches!(gone, AdminError::Missing(_)), "{gone}");
}

#[test]
fn the_last_records_of_all_partitions_come_in_their_order_and_then_those_to_come() {
    let kafka = Kafka::start();
    let topic = unique("logs.tail");
    kafka.topic(&topic, 3);
    fill(&kafka, &topic, 50);
    let mut tail = Tail::open(&kafka.connection, look(&topic)).unwrap();
    let all = tail.last(1_000).unwrap();
    assert_eq!(all.len(), 50);
    let last = tail.last(5).unwrap();
    assert_eq!(last, all[45..]);
    for partition in 0..3 {
        let offsets: Vec<_> =
            all.iter().filter(|one| one.partition == partition).map(|one| one.offset).collect();
        assert!(offsets.is_sorted() && !offsets.is_empty(), "{offsets:?}");
    }
    let writer = LogWriter::new(&kafka.connection, "test").unwrap();
    writer.push(&topic, Some("key"), b"new", &[("name", "value")]).unwrap();
    writer.flush(Duration::from_secs(30)).unwrap();
    let new = tail.next(Duration::from_secs(30)).unwrap().unwrap();
    assert_eq!((new.value.as_deref(), new.key.as_deref()), (Some(&b"new"[..]), Some(&b"key"[..])));
    assert_eq!(new.headers, [("name".to_owned(), Some(b"value".to_vec()))]);
    assert_eq!(tail.next(Duration::ZERO).unwrap(), None);
}

#[test]
fn markers_of_transactions_do_not_count_as_last_records() {
    let kafka = Kafka::start();
    let topic: std::sync::Arc<str> = unique("tail.markers").into();
    kafka.topic(&topic, 1);
    let input = unique("logs.in");
    kafka.topic(&input, 1);
    let source = kafka.source("tail", &unique("group"), &[&input], StartAt::Committed);
    let metrics = Metrics::register(&mut Registry::default());
    let mut sink = TransactionSink::new(&kafka.connection, "tail", &unique("id"), &source, metrics).unwrap();
    for n in 0..8 {
        let mut seen = Seen { records: vec![(0, 0, format!("value {n}"))], ..Seen::default() };
        sink.deliver(out(&topic, &mut seen), &event::Positions::default()).unwrap();
    }
    let mut tail = Tail::open(&kafka.connection, look(&topic)).unwrap();
    let expected: Vec<_> = (3..8).map(|n| format!("value {n}")).collect();
    assert_eq!(values(&tail.last(5).unwrap()), expected);
}

#[test]
fn a_look_begins_at_an_offset_or_a_time_and_ends_where_the_topic_ended() {
    let kafka = Kafka::start();
    let topic = unique("logs.since");
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 10);
    let mut tail = Tail::open(&kafka.connection, look(&topic)).unwrap();
    fill(&kafka, &topic, 3);
    tail.begin(Place::Offset(6)).unwrap();
    assert_eq!(values(&rest(&mut tail)), ["line 6", "line 7", "line 8", "line 9"]);
    tail.begin(Place::Offset(8)).unwrap();
    let time = rest(&mut tail)[0].timestamp_ms.unwrap();
    tail.begin(Place::Time(time)).unwrap();
    let since = rest(&mut tail);
    // In a compressed batch the time of its first record stands for all.
    assert!(since.last().unwrap().offset == 9 && since.len() >= 2, "{since:?}");
    tail.begin(Place::Time(time + 3_600_000)).unwrap();
    assert_eq!(rest(&mut tail), []);
    let none = Tail::open(&kafka.connection, Look { partition: Some(7), ..look(&topic) }).err().unwrap();
    assert!(none.to_string().contains("partition 7"), "{none}");
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let admin = Admin::connect(&Connection::new("127.0.0.1:1")).unwrap();
    let error = admin.topics(|_| true).unwrap_err();
    assert!(matches!(&error, AdminError::Unreachable { brokers, .. } if brokers == "127.0.0.1:1"), "{error}");
}
