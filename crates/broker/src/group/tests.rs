//! Groups, with time held in the hand.

use super::joining::NotJoined;
use super::member::{Joined, Joining, Protocol, Timeouts};
use super::*;

const SESSION: Duration = Duration::from_secs(10);
const DELAY: Duration = Duration::from_secs(3);

fn joining(member_id: &str) -> Joining {
    Joining {
        member_id: member_id.into(),
        instance_id: None,
        client: Client::default(),
        timeouts: Timeouts { session: SESSION, rebalance: Duration::from_secs(60) },
        protocol_type: "consumer".into(),
        protocols: vec![Protocol { name: "range".into(), metadata: Bytes::from_static(b"m") }],
        asks_for_id: false,
        may_skip_assignment: false,
    }
}

fn speaker(member_id: &str, generation: i32) -> Speaker {
    Speaker { member_id: member_id.into(), instance_id: None, generation }
}

fn got<T>(mut promise: Promise<T>) -> Answer<T> {
    promise.try_recv().expect("it is answered")
}

/// A stable group of these members, in its first generation.
fn stable(ids: &[&str], now: Instant) -> Group {
    let mut group = Group::new(DELAY, 3);
    let promises: Vec<_> =
        ids.iter().map(|id| group.join(&joining(""), (*id).into(), now).unwrap()).collect();
    group.tick(now + DELAY);
    let joined: Vec<Joined> = promises.into_iter().map(|promise| got(promise).unwrap()).collect();
    let assignments = ids.iter().map(|id| ((*id).to_owned(), Bytes::from((*id).to_owned()))).collect();
    let leader = joined[0].leader.clone();
    got(group.sync(&speaker(&leader, 1), assignments, now + DELAY).unwrap()).unwrap();
    assert_eq!(group.phase(), Phase::Stable);
    group
}

#[test]
fn members_that_start_together_join_one_generation() {
    let group = stable(&["a", "b", "c"], Instant::now());
    let assigned: Vec<_> = group.members().into_iter().map(|member| member.assignment).collect();
    assert_eq!(assigned, ["a", "b", "c"]);
}

#[test]
fn only_the_leader_is_told_who_is_there() {
    let now = Instant::now();
    let mut group = Group::new(DELAY, 3);
    let (a, b) = (group.join(&joining(""), "a".into(), now), group.join(&joining(""), "b".into(), now));
    group.tick(now + DELAY);
    let (a, b) = (got(a.unwrap()).unwrap(), got(b.unwrap()).unwrap());
    assert_eq!((a.members.len(), b.members.len()), (2, 0));
    assert_eq!((a.leader.as_str(), b.leader.as_str()), ("a", "a"));
}

#[test]
fn a_newcomer_makes_the_others_join_again() {
    let now = Instant::now();
    let mut group = stable(&["a"], now);
    let b = group.join(&joining(""), "b".into(), now).unwrap();
    assert_eq!(group.heartbeat(&speaker("a", 1), now), Err(ResponseError::RebalanceInProgress));
    let a = group.join(&joining("a"), String::new(), now).unwrap();
    assert_eq!((got(a).unwrap().generation, got(b).unwrap().generation), (2, 2));
}

#[test]
fn whoever_does_not_join_again_in_time_is_out() {
    let now = Instant::now();
    let mut group = stable(&["a", "b"], now);
    let a = group.join(&joining("a"), String::new(), now).unwrap();
    group.tick(now + Duration::from_secs(61));
    assert_eq!(got(a).unwrap().members.len(), 1);
    assert_eq!(group.heartbeat(&speaker("b", 2), now), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_silent_member_is_out_after_its_session() {
    let now = Instant::now();
    let mut group = stable(&["a", "b"], now);
    let later = group.next_deadline().unwrap();
    group.heartbeat(&speaker("a", 1), later).unwrap();
    group.tick(later);
    assert_eq!(group.members().len(), 1);
    assert_eq!(group.heartbeat(&speaker("a", 1), later), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn commits_of_another_generation_or_a_stranger_are_refused() {
    let now = Instant::now();
    let mut group = stable(&["a"], now);
    assert_eq!(group.check_commit(&speaker("a", 1), false, now), Ok(()));
    assert_eq!(group.check_commit(&speaker("a", 0), false, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(group.check_commit(&speaker("z", 1), false, now), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.check_commit(&speaker("", -1), false, now), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_newer_client_is_given_its_id_first() {
    let now = Instant::now();
    let mut group = Group::new(DELAY, 3);
    let asks = Joining { asks_for_id: true, ..joining("") };
    assert_eq!(group.join(&asks, "a".into(), now).unwrap_err(), NotJoined::TakeId("a".into()));
    let a = group.join(&Joining { asks_for_id: true, ..joining("a") }, String::new(), now).unwrap();
    group.tick(now + DELAY);
    assert_eq!(got(a).unwrap().member_id, "a");
}

#[test]
fn a_static_member_that_returns_fences_its_former_self() {
    let now = Instant::now();
    let mut group = Group::new(DELAY, 3);
    let one = Joining { instance_id: Some("one".into()), ..joining("") };
    drop(group.join(&one, "a".into(), now).unwrap());
    let again = group.join(&one, "b".into(), now).unwrap();
    group.tick(now + DELAY);
    assert_eq!(got(again).unwrap().leader, "b");
    let former = Speaker { instance_id: Some("one".into()), ..speaker("a", 1) };
    assert_eq!(group.heartbeat(&former, now), Err(ResponseError::FencedInstanceId));
}

#[test]
fn a_group_that_everyone_left_is_vacant() {
    let now = Instant::now();
    let mut group = stable(&["a", "b"], now);
    group.leave("a", None, now).unwrap();
    group.leave("b", None, now).unwrap();
    assert!(group.is_vacant());
    assert_eq!(group.next_deadline(), None);
}

#[test]
fn members_without_a_common_protocol_are_refused() {
    let now = Instant::now();
    let mut group = stable(&["a"], now);
    let other = vec![Protocol { name: "roundrobin".into(), metadata: Bytes::new() }];
    let refused = group.join(&Joining { protocols: other, ..joining("") }, "b".into(), now).unwrap_err();
    assert_eq!(refused, NotJoined::Refused(ResponseError::InconsistentGroupProtocol));
}

#[test]
fn a_leader_that_never_assigns_is_left_behind() {
    let now = Instant::now();
    let mut group = Group::new(DELAY, 3);
    drop(group.join(&joining(""), "a".into(), now).unwrap());
    let b = group.join(&joining(""), "b".into(), now).unwrap();
    group.tick(now + DELAY); // "a" has hung up, so "b" leads
    assert_eq!(got(b).unwrap().leader, "b");
    group.tick(now + DELAY + Duration::from_secs(61));
    assert!(group.is_vacant());
}

#[test]
fn a_full_group_takes_no_more_members() {
    let now = Instant::now();
    let mut group = stable(&["a", "b", "c"], now);
    let refused = group.join(&joining(""), "d".into(), now).unwrap_err();
    assert_eq!(refused, NotJoined::Refused(ResponseError::GroupMaxSizeReached));
    drop(group.join(&joining("a"), String::new(), now).unwrap());
}

#[test]
fn a_transaction_may_commit_while_the_group_waits_for_its_assignment() {
    let now = Instant::now();
    let mut group = stable(&["a"], now);
    let b = group.join(&joining(""), "b".into(), now).unwrap();
    drop(group.join(&joining("a"), String::new(), now).unwrap());
    drop(b);
    assert!(matches!(group.phase(), Phase::Syncing { .. }));
    assert_eq!(group.check_commit(&speaker("a", 2), true, now), Ok(()));
    assert_eq!(group.check_commit(&speaker("a", 2), false, now), Err(ResponseError::RebalanceInProgress));
    assert_eq!(group.check_commit(&speaker("a", 1), true, now), Err(ResponseError::IllegalGeneration));
}
