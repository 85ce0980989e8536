//! `watchfire topics`: what topics there are, on the embedded broker or any Kafka.

use anyhow::bail;
use kafka::admin::{Admin, New, Partition, Setting, Topic};
use serde_json::{Value, json};

use super::confirm::confirm;
use super::place;
use super::printable::json_line;
use super::table::Table;
use super::{KafkaArgs, with_cure};

/// Flags of `topics`.
#[derive(clap::Args)]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(clap::Subcommand)]
enum TopicsCommand {
    /// List every topic with its partitions and records.
    List(ListArgs),
    /// Describe a topic: each partition's offsets and copies, and what is set for it.
    Describe(DescribeArgs),
    /// Make a topic.
    Create(CreateArgs),
    /// Delete topics with all their records.
    Delete(DeleteArgs),
    /// Change how long and how much a topic keeps, its other settings, or its number of partitions.
    Configure(ConfigureArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    /// Print JSON, one topic a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct DescribeArgs {
    /// The topic.
    topic: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct CreateArgs {
    /// Its name.
    topic: String,
    /// Partitions [default: the broker's].
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    /// Copies of each partition [default: the broker's].
    #[arg(long, value_name = "N")]
    replicas: Option<i32>,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct DeleteArgs {
    /// The topics.
    #[arg(required = true)]
    topics: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct ConfigureArgs {
    /// The topic.
    topic: String,
    #[command(flatten)]
    settings: SettingArgs,
    /// A setting that shall be the broker's again, by Kafka's name; may be given several times.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// More partitions, so many in all. Keys then go to other partitions than before.
    #[arg(long, value_name = "N")]
    partitions: Option<usize>,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(clap::Args)]
struct SettingArgs {
    /// How long records are kept: 12h, 30d, or `forever`.
    #[arg(long, value_name = "TIME", value_parser = retention)]
    retention: Option<i64>,
    /// How much of each partition is kept: 500MiB, 10GiB, or `everything`.
    #[arg(long, value_name = "SIZE", value_parser = retention_bytes)]
    retention_bytes: Option<i64>,
    /// Another setting by Kafka's name, e.g. max.message.bytes=1000000; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    others: Vec<(String, String)>,
}

impl SettingArgs {
    fn settings(&self) -> Vec<(String, String)> {
        let retention = self.retention.map(|ms| ("retention.ms".to_owned(), ms.to_string()));
        let bytes = self.retention_bytes.map(|bytes| ("retention.bytes".to_owned(), bytes.to_string()));
        retention.into_iter().chain(bytes).chain(self.others.iter().cloned()).collect()
    }
}

pub(crate) fn run(args: &TopicsArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.command {
            TopicsCommand::List(args) => list(args),
            TopicsCommand::Describe(args) => describe(args).await,
            TopicsCommand::Create(args) => create(args).await,
            TopicsCommand::Delete(args) => delete(args).await,
            TopicsCommand::Configure(args) => configure(args).await,
        }
    })
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let topics = args.kafka.admin()?.topics(|_| true).map_err(with_cure)?;
    if args.json {
        for topic in &topics {
            let partitions = topic.partitions.len();
            let listed = json!({"topic": topic.name, "partitions": partitions, "records": records(topic)});
            println!("{}", json_line(&listed)?);
        }
        return Ok(());
    }
    let mut table = Table::new(&["topic", "partitions#", "records#"]);
    for topic in &topics {
        table.row([topic.name.clone(), topic.partitions.len().to_string(), records(topic).to_string()]);
    }
    print!("{table}");
    Ok(())
}

/// Offsets between the first and the last; transaction markers take some of them.
fn records(topic: &Topic) -> i64 {
    topic.partitions.iter().map(|partition| partition.end - partition.first).sum()
}

async fn describe(args: &DescribeArgs) -> anyhow::Result<()> {
    let admin = args.kafka.admin()?;
    let topic = admin.topic(&args.topic).map_err(with_cure)?;
    let settings = admin.settings(&args.topic).await.map_err(with_cure)?;
    if args.json {
        println!("{}", json_line(&described(&topic, &settings))?);
        return Ok(());
    }
    let mut table =
        Table::new(&["partition#", "first#", "end#", "records#", "leader#", "replicas#", "in sync#"]);
    for one in &topic.partitions {
        table.row([
            one.partition.to_string(),
            one.first.to_string(),
            one.end.to_string(),
            (one.end - one.first).to_string(),
            one.leader.to_string(),
            one.replicas.to_string(),
            one.in_sync.to_string(),
        ]);
    }
    print!("{table}");
    let mut table = Table::new(&["setting", "value", "set by"]);
    for setting in settings {
        let by = if setting.is_own { "this topic" } else { "the broker" };
        table.row([setting.name, setting.value.unwrap_or_else(|| "(secret)".into()), by.into()]);
    }
    print!("\n{table}");
    Ok(())
}

fn described(topic: &Topic, settings: &[Setting]) -> Value {
    let partition = |one: &Partition| {
        json!({
            "partition": one.partition, "first": one.first, "end": one.end,
            "leader": one.leader, "replicas": one.replicas, "in_sync": one.in_sync,
        })
    };
    let setting = |one: &Setting| json!({"name": one.name, "value": one.value, "set_by_topic": one.is_own});
    json!({
        "topic": topic.name,
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
        "settings": settings.iter().map(setting).collect::<Vec<_>>(),
    })
}

async fn create(args: &CreateArgs) -> anyhow::Result<()> {
    let settings = args.settings.settings();
    let CreateArgs { topic, partitions, replicas, .. } = args;
    let new = New { name: topic, partitions: *partitions, replicas: *replicas, settings: &settings };
    args.kafka.admin()?.create(&new).await.map_err(with_cure)?;
    println!("made topic {topic}");
    Ok(())
}

async fn delete(args: &DeleteArgs) -> anyhow::Result<()> {
    let admin = args.kafka.admin()?;
    let mut doomed = Vec::new();
    for name in &args.topics {
        doomed.push(admin.topic(name).map_err(with_cure)?);
    }
    let lost: Vec<_> =
        doomed.iter().map(|topic| format!("{} ({} records)", topic.name, records(topic))).collect();
    confirm(&format!("Delete {} for good?", lost.join(", ")), args.yes)?;
    for topic in &args.topics {
        admin.delete(topic).await.map_err(with_cure)?;
        println!("deleted topic {topic}");
    }
    Ok(())
}

async fn configure(args: &ConfigureArgs) -> anyhow::Result<()> {
    let set = args.settings.settings().into_iter().map(|(name, value)| (name, Some(value)));
    let changes: Vec<_> = set.chain(args.unset.iter().map(|name| (name.clone(), None))).collect();
    if changes.is_empty() && args.partitions.is_none() {
        bail!("nothing to change: give --retention, --retention-bytes, --set, --unset or --partitions");
    }
    let admin = args.kafka.admin()?;
    if let Some(partitions) = args.partitions {
        admin.extend(&args.topic, partitions).await.map_err(with_cure)?;
        println!("topic {} has {partitions} partitions", args.topic);
    }
    if !changes.is_empty() {
        admin.configure(&args.topic, &changes).await.map_err(with_cure)?;
    }
    for (name, value) in changes {
        println!("{name} = {}", value.as_deref().unwrap_or("what the broker says"));
    }
    Ok(())
}

impl KafkaArgs {
    pub(super) fn admin(&self) -> anyhow::Result<Admin> {
        Admin::connect(&self.connection()?).map_err(with_cure)
    }
}

fn retention(text: &str) -> Result<i64, String> {
    let ms = if text == "forever" { Some(-1) } else { place::span(text) };
    ms.ok_or_else(|| "a time is 90m, 12h, 30d or forever".to_owned())
}

fn retention_bytes(text: &str) -> Result<i64, String> {
    let bytes = if text == "everything" { Some(-1) } else { place::bytes(text) };
    bytes.ok_or_else(|| "a size is 500MiB, 10GiB, a number of bytes, or everything".to_owned())
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
