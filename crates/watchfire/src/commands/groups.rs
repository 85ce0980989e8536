//! `watchfire groups`: who reads what, and how far they are, on the embedded broker or any Kafka.

use std::collections::HashMap;

use anyhow::bail;
use kafka::admin::{Group, GroupOffset, Place};
use serde_json::{Value, json};

use super::confirm::confirm;
use super::place::place;
use super::printable::json_line;
use super::table::Table;
use super::{KafkaArgs, with_cure};

/// Flags of `groups`.
#[derive(clap::Args)]
pub(crate) struct GroupsArgs {
    #[command(subcommand)]
    command: GroupsCommand,
}

#[derive(clap::Subcommand)]
enum GroupsCommand {
    /// List every consumer group with its members and how far it is behind.
    List(ListArgs),
    /// Describe a group: where it stands in each partition, how far it is behind, who reads it.
    Describe(DescribeArgs),
    /// Delete groups with their offsets. Whoever reads with them again begins anew.
    Delete(DeleteArgs),
    /// Put a group elsewhere in a topic. Stop its members before.
    Reset(ResetArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    /// Print JSON, one group a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct DescribeArgs {
    /// The group.
    group: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct DeleteArgs {
    /// The groups.
    #[arg(required = true)]
    groups: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct ResetArgs {
    /// The group.
    group: String,
    /// The topic.
    #[arg(long)]
    topic: String,
    /// Where it shall go on: earliest, latest, an offset, a time ago (15m, 2h, 7d), a day
    /// (2027-01-31) or an RFC 3339 time.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    to: Place,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

pub(crate) fn run(args: &GroupsArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.command {
            GroupsCommand::List(args) => list(args),
            GroupsCommand::Describe(args) => describe(args),
            GroupsCommand::Delete(args) => delete(args).await,
            GroupsCommand::Reset(args) => reset(args),
        }
    })
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let admin = args.kafka.admin()?;
    let mut table = Table::new(&["group", "state", "members#", "topics#", "lag#"]);
    for group in admin.groups().map_err(with_cure)? {
        let offsets = admin.group_offsets(&group.name).map_err(with_cure)?;
        let mut topics: Vec<&str> = offsets.iter().map(|offset| offset.topic.as_str()).collect();
        topics.dedup();
        let (members, topics, lag) = (group.members.len(), topics.len(), lag(&offsets));
        if args.json {
            let listed = json!({
                "group": group.name, "state": group.state, "members": members, "topics": topics, "lag": lag,
            });
            println!("{}", json_line(&listed)?);
        }
        table.row([group.name, group.state, members.to_string(), topics.to_string(), lag.to_string()]);
    }
    if !args.json {
        print!("{table}");
    }
    Ok(())
}

fn lag(offsets: &[GroupOffset]) -> i64 {
    offsets.iter().map(|offset| offset.lag).sum()
}

fn describe(args: &DescribeArgs) -> anyhow::Result<()> {
    let admin = args.kafka.admin()?;
    let group = admin.group(&args.group).map_err(with_cure)?;
    let offsets = admin.group_offsets(&args.group).map_err(with_cure)?;
    if args.json {
        println!("{}", json_line(&described(&group, &offsets))?);
        return Ok(());
    }
    let readers = readers(&group);
    let mut table = Table::new(&["topic", "partition#", "committed#", "end#", "lag#", "member"]);
    for offset in &offsets {
        let reader = readers.get(&(offset.topic.as_str(), offset.partition)).copied();
        table.row([
            offset.topic.clone(),
            offset.partition.to_string(),
            offset.committed.to_string(),
            offset.end.to_string(),
            offset.lag.to_string(),
            reader.unwrap_or("-").to_owned(),
        ]);
    }
    println!("{} members, {}, {} behind", group.members.len(), group.state, lag(&offsets));
    print!("\n{table}");
    if !group.members.is_empty() {
        let mut table = Table::new(&["member", "client", "host", "partitions#"]);
        for member in group.members {
            table.row([member.id, member.client, member.host, member.assigned.len().to_string()]);
        }
        print!("\n{table}");
    }
    Ok(())
}

/// Who reads each partition.
fn readers(group: &Group) -> HashMap<(&str, i32), &str> {
    let of_member = group.members.iter().flat_map(|member| {
        member.assigned.iter().map(|(topic, partition)| ((topic.as_str(), *partition), member.id.as_str()))
    });
    of_member.collect()
}

fn described(group: &Group, offsets: &[GroupOffset]) -> Value {
    let readers = readers(group);
    let offset = |one: &GroupOffset| {
        json!({
            "topic": one.topic, "partition": one.partition, "committed": one.committed, "end": one.end,
            "lag": one.lag, "member": readers.get(&(one.topic.as_str(), one.partition)),
        })
    };
    let member = |one: &kafka::admin::Member| {
        let assigned =
            one.assigned.iter().map(|(topic, partition)| json!({"topic": topic, "partition": partition}));
        json!({
            "id": one.id, "client": one.client, "host": one.host, "partitions": assigned.collect::<Vec<_>>(),
        })
    };
    json!({
        "group": group.name, "state": group.state, "protocol": group.protocol, "lag": lag(offsets),
        "members": group.members.iter().map(member).collect::<Vec<_>>(),
        "offsets": offsets.iter().map(offset).collect::<Vec<_>>(),
    })
}

async fn delete(args: &DeleteArgs) -> anyhow::Result<()> {
    let admin = args.kafka.admin()?;
    for group in &args.groups {
        let members = admin.group(group).map_err(with_cure)?.members.len();
        if members > 0 {
            bail!("group {group} has {members} members, which would make it anew: stop them first");
        }
    }
    let question = format!("Delete the offsets of {} for good?", args.groups.join(", "));
    confirm(&question, args.yes)?;
    for group in &args.groups {
        admin.delete_group(group).await.map_err(with_cure)?;
        println!("deleted group {group}");
    }
    Ok(())
}

fn reset(args: &ResetArgs) -> anyhow::Result<()> {
    let ResetArgs { group, topic, to, .. } = args;
    let admin = args.kafka.admin()?;
    admin.topic(topic).map_err(with_cure)?;
    confirm(
        &format!("Move group {group} in topic {topic}? It reads records again, or leaves some out."),
        args.yes,
    )?;
    let mut table = Table::new(&["partition#", "from#", "to#"]);
    for reset in admin.reset_group(group, topic, *to).map_err(with_cure)? {
        let from = reset.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
        table.row([reset.partition.to_string(), from, reset.to.to_string()]);
    }
    print!("{table}");
    Ok(())
}
