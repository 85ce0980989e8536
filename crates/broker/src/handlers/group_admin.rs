//! ListGroups, DescribeGroups and DeleteGroups.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use kafka_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::list_groups_request::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};

use super::{code, text};
use crate::frame::{FrameError, Request};
use crate::group::{Group, MemberView};
use crate::journal::record::Record;
use crate::node::Node;
use crate::security::client::{Access, Client};

pub(super) fn list(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let list: ListGroupsRequest = request.decode()?;
    let mut ids: BTreeSet<String> = node.groups.ids().into_iter().collect();
    ids.extend(node.journal.read(|state| state.groups.keys().cloned().collect::<Vec<_>>()));
    // Those who may see none are told of none.
    ids.retain(|id| client.may(Access::Group(id)).is_ok());
    let mut groups = Vec::new();
    for id in ids {
        let seen = node
            .groups
            .with_quietly(&id, |group| (group.protocol_type().to_owned(), group.phase().name()))
            .unwrap_or((String::new(), "Empty"));
        let is_wanted = |wanted: &[kafka_protocol::protocol::StrBytes]| {
            wanted.is_empty() || wanted.iter().any(|state| state.eq_ignore_ascii_case(seen.1))
        };
        if !is_wanted(&list.states_filter) {
            continue;
        }
        let group = ListedGroup::default().with_group_id(GroupId(text(id))).with_protocol_type(text(seen.0));
        groups.push(if request.version >= 4 { group.with_group_state(text(seen.1)) } else { group });
    }
    request.encode(&ListGroupsResponse::default().with_groups(groups))
}

pub(super) fn describe(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let wanted: DescribeGroupsRequest = request.decode()?;
    let shows_instances = request.version >= 4;
    let describe = |id: GroupId| {
        if let Err(denied) = client.may(Access::Group(&id)) {
            return DescribedGroup::default().with_group_id(id).with_error_code(denied.code());
        }
        let with_members = node.groups.with_quietly(&id, |group| describe_members(group, shows_instances));
        let described = with_members.unwrap_or_else(|| {
            let has_offsets = node.journal.read(|state| state.groups.contains_key(id.as_str()));
            DescribedGroup::default().with_group_state(text(if has_offsets { "Empty" } else { "Dead" }))
        });
        described.with_group_id(id)
    };
    let mut seen = BTreeSet::new();
    let once = wanted.groups.into_iter().filter(|id| seen.insert(id.clone()));
    let groups = once.map(describe).collect();
    request.encode(&DescribeGroupsResponse::default().with_groups(groups))
}

fn describe_members(group: &Group, shows_instances: bool) -> DescribedGroup {
    let member = |member: MemberView| {
        DescribedGroupMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.filter(|_| shows_instances).map(text))
            .with_client_id(text(member.client.id))
            .with_client_host(text(member.client.host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    DescribedGroup::default()
        .with_group_state(text(group.phase().name()))
        .with_protocol_type(text(group.protocol_type()))
        .with_protocol_data(text(group.protocol()))
        .with_members(group.members().into_iter().map(member).collect())
}

pub(super) async fn delete(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let doomed: DeleteGroupsRequest = request.decode()?;
    let mut results = Vec::with_capacity(doomed.groups_names.len());
    for id in doomed.groups_names {
        let deleted = match client.may(Access::Group(&id)) {
            Ok(()) => delete_one(node, &id).await,
            Err(denied) => Err(denied),
        };
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(code(&deleted)));
    }
    request.encode(&DeleteGroupsResponse::default().with_results(results))
}

async fn delete_one(node: &Node, id: &str) -> Result<(), ResponseError> {
    let is_vacant = node.groups.with_quietly(id, |group| group.is_vacant());
    if is_vacant == Some(false) {
        return Err(ResponseError::NonEmptyGroup);
    }
    if !node.journal.read(|state| state.groups.contains_key(id)) {
        return Err(ResponseError::GroupIdNotFound);
    }
    node.journal.commit(&[Record::GroupDeleted { group: id.to_owned() }]).await
}
