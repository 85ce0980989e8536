//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::heartbeat_request::HeartbeatRequest;
use kafka_protocol::messages::heartbeat_response::HeartbeatResponse;
use kafka_protocol::messages::join_group_request::JoinGroupRequest;
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::sync_group_request::SyncGroupRequest;
use kafka_protocol::messages::sync_group_response::SyncGroupResponse;
use kafka_protocol::protocol::StrBytes;

use super::{code, text};
use crate::frame::{FrameError, Request};
use crate::group::joining::NotJoined;
use crate::group::member::{self, Joined, JoinedMember, Joining, Promise, Protocol, Timeouts};
use crate::group::{Group, Speaker};
use crate::groups::fresh_id;
use crate::node::Node;
use crate::security::client::{Access, Client};

const SESSION_TIMEOUT_MS_MAX: i32 = 30 * 60 * 1000;
/// What a group keeps of a member: its subscription in each protocol together, and its assignment.
const MEMBER_BYTES_MAX: usize = 1024 * 1024;

pub(super) async fn join(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let join: JoinGroupRequest = request.decode()?;
    let version = request.version;
    let given_id = join.member_id.to_string();
    let begun = if join.group_id.is_empty() {
        Err(ResponseError::InvalidGroupId.into())
    } else if let Err(denied) = client.may(Access::Group(&join.group_id)) {
        Err(denied.into())
    } else if !(1..=SESSION_TIMEOUT_MS_MAX).contains(&join.session_timeout_ms) {
        Err(ResponseError::InvalidSessionTimeout.into())
    } else if join.protocols.iter().map(|offered| offered.metadata.len()).sum::<usize>() > MEMBER_BYTES_MAX {
        Err(ResponseError::InvalidRequest.into())
    } else {
        let joining = joining(&join, version, &request.client_id, client);
        let name = joining.instance_id.as_deref().unwrap_or(&request.client_id);
        let fresh_id = format!("{name}-{}", fresh_id());
        let join_it = |group: &mut Group| group.join(&joining, fresh_id, Instant::now());
        node.groups.with_or_create(&join.group_id, join_it).unwrap_or_else(|refusal| Err(refusal.into()))
    };
    let response = match begun {
        Ok(promise) => match kept(promise).await {
            Ok(joined) => joined_response(joined, version),
            Err(error) => refused(error, given_id, version),
        },
        Err(NotJoined::TakeId(id)) => refused(ResponseError::MemberIdRequired, id, version),
        Err(NotJoined::Refused(error)) => refused(error, given_id, version),
    };
    request.encode(&response)
}

/// Copies what the group keeps, so that it does not hold on to whole requests.
fn joining(join: &JoinGroupRequest, version: i16, client_id: &str, client: &Client) -> Joining {
    let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let rebalance_ms = if version == 0 { join.session_timeout_ms } else { join.rebalance_timeout_ms };
    let protocols = join.protocols.iter().map(|offered| Protocol {
        name: offered.name.to_string(),
        metadata: Bytes::copy_from_slice(&offered.metadata),
    });
    Joining {
        member_id: join.member_id.to_string(),
        instance_id: join.group_instance_id.as_ref().map(|id| id.to_string()),
        client: member::Client { id: client_id.to_owned(), host: format!("/{}", client.peer.ip()) },
        timeouts: Timeouts { session: millis(join.session_timeout_ms), rebalance: millis(rebalance_ms) },
        protocol_type: join.protocol_type.to_string(),
        protocols: protocols.collect(),
        asks_for_id: version >= 4,
        may_skip_assignment: version >= 9,
    }
}

/// A promise is broken only if the group itself went away.
async fn kept<T>(promise: Promise<T>) -> Result<T, ResponseError> {
    promise.await.unwrap_or(Err(ResponseError::UnknownMemberId))
}

fn joined_response(joined: Joined, version: i16) -> JoinGroupResponse {
    let member = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.filter(|_| version >= 5).map(text))
            .with_metadata(member.metadata)
    };
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type((version >= 7).then(|| text(joined.protocol_type)))
        .with_protocol_name(Some(text(joined.protocol)))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect())
}

fn refused(error: ResponseError, member_id: String, version: i16) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_protocol_name((version < 7).then(StrBytes::new))
        .with_member_id(text(member_id))
}

pub(super) async fn sync(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let sync: SyncGroupRequest = request.decode()?;
    let speaker = Speaker {
        member_id: sync.member_id.to_string(),
        instance_id: sync.group_instance_id.map(|id| id.to_string()),
        generation: sync.generation_id,
    };
    let copy = |one: kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment| {
        (one.member_id.to_string(), Bytes::copy_from_slice(&one.assignment))
    };
    let begun = if let Err(denied) = client.may(Access::Group(&sync.group_id)) {
        Err(denied)
    } else if sync.assignments.iter().any(|one| one.assignment.len() > MEMBER_BYTES_MAX) {
        Err(ResponseError::InvalidRequest)
    } else {
        let assignments = sync.assignments.into_iter().map(copy).collect();
        let begun =
            node.groups.with(&sync.group_id, |group| group.sync(&speaker, assignments, Instant::now()));
        begun.unwrap_or(Err(ResponseError::UnknownMemberId))
    };
    let synced = match begun {
        Ok(promise) => kept(promise).await,
        Err(error) => Err(error),
    };
    let names_protocol = request.version >= 5;
    let response = SyncGroupResponse::default().with_error_code(code(&synced));
    let response = match synced {
        Ok(synced) => response
            .with_protocol_type(names_protocol.then(|| text(synced.protocol_type)))
            .with_protocol_name(names_protocol.then(|| text(synced.protocol)))
            .with_assignment(synced.assignment),
        Err(_) => response,
    };
    request.encode(&response)
}

pub(super) fn heartbeat(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let heartbeat: HeartbeatRequest = request.decode()?;
    let speaker = Speaker {
        member_id: heartbeat.member_id.to_string(),
        instance_id: heartbeat.group_instance_id.map(|id| id.to_string()),
        generation: heartbeat.generation_id,
    };
    let beat = client.may(Access::Group(&heartbeat.group_id)).and_then(|()| {
        node.groups
            .with_quietly(&heartbeat.group_id, |group| group.heartbeat(&speaker, Instant::now()))
            .unwrap_or(Err(ResponseError::UnknownMemberId))
    });
    request.encode(&HeartbeatResponse::default().with_error_code(code(&beat)))
}

pub(super) fn leave(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let leave: LeaveGroupRequest = request.decode()?;
    let may = client.may(Access::Group(&leave.group_id));
    let leave_one = |member_id: &str, instance_id: Option<&str>| {
        may?;
        let left =
            node.groups.with(&leave.group_id, |group| group.leave(member_id, instance_id, Instant::now()));
        left.unwrap_or(Err(ResponseError::UnknownMemberId))
    };
    if request.version < 3 {
        let left = leave_one(&leave.member_id, None);
        return request.encode(&LeaveGroupResponse::default().with_error_code(code(&left)));
    }
    let answer = |member: &MemberIdentity| {
        let left = leave_one(&member.member_id, member.group_instance_id.as_deref());
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(code(&left))
    };
    let members = leave.members.iter().map(answer).collect();
    request.encode(&LeaveGroupResponse::default().with_members(members))
}
