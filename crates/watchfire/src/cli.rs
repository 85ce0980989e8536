//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::config::{self, Config, LogFormat, Overrides, Role};

/// Security event monitoring and anomaly detection for partner platforms.
#[derive(Parser)]
#[command(name = "watchfire", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, or any part of it with --roles.
    Serve(ServeArgs),
    /// Send a log file, or standard input, line by line.
    Send(commands::send::SendArgs),
    /// Run log files, or a stretch of a topic, through the normalizer and the detectors, without a
    /// server and without telling anybody.
    Replay(commands::replay::ReplayArgs),
    /// Show what becomes of each line of a log, step by step, and why.
    Explain(commands::explain::ExplainArgs),
    /// Score each value of a series (CSV with timestamp and value) for how anomalous it is, in real time.
    Score(commands::score::ScoreArgs),
    /// Make realistic partner traffic, with labelled attacks if you like.
    Generate(commands::generate::GenerateArgs),
    /// Check the configuration and the source descriptions, and say what they amount to.
    Check(ConfigArgs),
    /// Send rejected lines again, once what was wrong with them is mended.
    Redrive(commands::redrive::RedriveArgs),
    /// Show how well each feed is understood: what cannot be read, what is new, what detectors miss.
    Drift(commands::drift::DriftArgs),
    /// Make, list and revoke API tokens; also while the server runs.
    Token(commands::token::TokenArgs),
    /// Ask a running server in SQL.
    Query(commands::query::QueryArgs),
    /// Ask a running server for a report.
    Report(commands::report::ReportArgs),
    /// Make, list and remove the broker's users; also while it runs.
    User(commands::user::UserArgs),
    /// Make, describe, configure and delete topics.
    Topics(commands::topics::TopicsArgs),
    /// Show how far consumer groups are, and move or delete them.
    Groups(commands::groups::GroupsArgs),
    /// Show the last records of a topic, and those to come.
    Tail(commands::tail::TailArgs),
    /// Run the embedded Kafka broker alone.
    Broker(commands::broker::BrokerArgs),
    /// Measure what reading and parsing alone cost, to hold other figures against.
    #[command(hide = true)]
    BenchLimits(commands::bench_limits::BenchLimitsArgs),
}

/// Where the configuration is.
#[derive(Args, Clone)]
pub(crate) struct ConfigArgs {
    /// Configuration file; see watchfire.example.toml. Every key can also be set by a variable:
    /// server.listen is WATCHFIRE_SERVER_LISTEN.
    #[arg(long, env = "WATCHFIRE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Flags of `serve`.
#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Which stages run in this process [default: all].
    #[arg(long, value_delimiter = ',', value_name = "ROLES")]
    roles: Option<Vec<Role>>,
    /// A Kafka cluster to use instead of the embedded broker.
    #[arg(long, value_name = "HOST:PORT,...")]
    kafka: Option<String>,
    /// Where everything is kept [default: watchfire-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where the API listens [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the embedded broker listens [default: 127.0.0.1:9092].
    #[arg(long, value_name = "ADDRESS")]
    broker_listen: Option<SocketAddr>,
    /// Feed it generated partner traffic with attacks in it.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Stop when everything that is there has been read, processed and stored.
    #[arg(long)]
    pub(crate) exit_when_idle: bool,
    /// How log lines look [default: human].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Which log lines: a level, or target=level,... [default: warn].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Print no progress, only what listens where and the alerts.
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl ServeArgs {
    fn overrides(&self) -> Overrides {
        let mut flags = Overrides::default();
        let roles = |roles: &Vec<Role>| -> Vec<toml::Value> {
            roles.iter().filter_map(|role| toml::Value::try_from(role).ok()).collect()
        };
        flags.set("server.roles", self.roles.as_ref().map(roles));
        flags.set("kafka.brokers", self.kafka.clone());
        flags.set("server.data_dir", self.data_dir.clone());
        flags.set("server.listen", self.listen.map(|address| address.to_string()));
        flags.set("broker.listen", self.broker_listen.map(|address| address.to_string()));
        flags.set("log.format", self.log_format.and_then(|format| toml::Value::try_from(format).ok()));
        flags.set("log.filter", self.log.clone());
        flags
    }
}

impl ConfigArgs {
    pub(crate) fn load(&self, flags: Overrides) -> anyhow::Result<Config> {
        config::load(self.config.as_deref(), std::env::vars(), flags)
    }
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(args) => {
            let config = args.config.load(args.overrides())?;
            crate::serve::serve(config, &args)
        }
        Command::Send(args) => commands::send::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Score(args) => commands::score::run(&args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Redrive(args) => commands::redrive::run(&args),
        Command::Drift(args) => commands::drift::run(&args),
        Command::Token(args) => commands::token::run(args),
        Command::Query(args) => commands::query::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::User(args) => commands::user::run(&args),
        Command::Topics(args) => commands::topics::run(&args),
        Command::Groups(args) => commands::groups::run(&args),
        Command::Tail(args) => commands::tail::run(&args),
        Command::Broker(args) => commands::broker::run(&args),
        Command::BenchLimits(args) => commands::bench_limits::run(&args),
    }
}
