//! `watchfire serve`: the wiring list. Builds each part from its section of the configuration,
//! runs the stages, and stops them in order.

mod broker;
mod demo;
mod flight;
mod health;
mod intake;
mod partners;
mod parts;
mod postgres;
mod reload;
mod sight;
mod snapshots;
mod terminal;
mod threads;
mod upkeep;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::parts::{existing_tables, table_url};
pub(crate) use self::terminal::alert_line;
use crate::cli::ServeArgs;
use crate::config::{Config, Role};

pub(crate) fn serve(mut config: Config, args: &ServeArgs) -> anyhow::Result<()> {
    crate::telemetry::start(&config.log)?;
    check_listen(&config)?;
    check_roles(&config.server.roles)?;
    config.postgres.postgres()?;
    config.flight.flight()?;
    if args.demo {
        demo::add_partners(&mut config);
    }
    config.tell_detectors_of_contracts();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(8 << 20).build()?;
    let outcome = runtime.block_on(run(config, args));
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome
}

async fn run(config: Config, args: &ServeArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.server.data_dir)
        .with_context(|| format!("make data_dir {}", config.server.data_dir.display()))?;
    let _held = hold(&config.server.data_dir)?;
    let broker = broker::start(&config).await?;
    let connection = broker.connection.clone();
    parts::ensure_topics(&config, &connection).await?;
    let parts = parts::Parts::open(&config, connection).await?;
    let stop_api = CancellationToken::new();
    let knowledge = reload::knowledge(&config, &parts.metrics, stop_api.clone())?;
    let rules = reload::rules(&config, &parts.metrics, &knowledge, stop_api.clone())?;
    let threads = threads::Threads::start(&parts, &config, &knowledge, &rules)?;
    let (ended, mut ends) = mpsc::unbounded_channel();
    broker.watch(ended.clone());
    let outbox = parts.run_outbox(&config, stop_api.clone())?;
    let outbox_handle = outbox.abort_handle();
    let mut lasting = vec![watched("outbox", outbox, stop_api.clone(), ended.clone())];
    let sight = sight::start(&config, &parts, stop_api.clone())?;
    let mut addresses = terminal::Addresses::default();
    if config.server.roles.contains(&Role::Api) {
        if let Some((listen, serving)) = postgres::start(&config, &parts, stop_api.clone()).await? {
            addresses.postgres = Some(listen);
            lasting.push(watched("postgres", serving, stop_api.clone(), ended.clone()));
        }
        if let Some((listen, serving)) = flight::start(&config, &parts, stop_api.clone()).await? {
            addresses.flight = Some(listen);
            lasting.push(watched("flight", serving, stop_api.clone(), ended.clone()));
        }
        let stop = stop_api.clone();
        let (listen, api) = parts.serve_api(&config, &broker, &threads, rules, outbox_handle, stop).await?;
        addresses.api = Some(listen);
        lasting.push(watched("api", api, stop_api.clone(), ended));
    }
    let upkeep = upkeep::start(&config, parts.tables.clone(), stop_api.clone());
    terminal::greet(&config, args, &broker, &parts, addresses).await?;
    let demo = if args.demo { Some(demo::start(&parts)?) } else { None };
    let terminal = terminal::watch(args, &parts, &threads, stop_api.clone());

    let why = wait(args, &threads, &mut ends).await?;
    println!("stopping: {why} (again to stop at once)");
    tokio::spawn(async {
        if asked_to_stop().await.is_ok() {
            std::process::exit(130);
        }
    });
    if let Some(demo) = demo {
        demo.stop();
    }
    stop_api.cancel();
    let mut failures = Vec::new();
    for part in lasting {
        failures.extend(part.await.context("stop the outbox and the API")?);
    }
    failures.extend(threads.stop().await);
    upkeep.await.context("stop upkeep")?;
    sight.await.context("stop looking at what detectors see")?;
    terminal.await.context("stop the terminal")?;
    terminal::farewell(&config, args, &parts, &threads).await?;
    broker.stop().await?;
    match failures.first() {
        Some(failure) => bail!("{failure}"),
        None => Ok(()),
    }
}

/// Waits for a part that lives as long as the process, and tells `ended` if it did not: without the
/// outbox nobody is paged, without the API nobody knows, and a process that stays hides both. Says
/// why it ended, unless it was asked to.
fn watched(
    name: &'static str,
    part: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    ended: mpsc::UnboundedSender<String>,
) -> JoinHandle<Option<String>> {
    tokio::spawn(async move {
        let why = match part.await {
            Ok(Ok(())) if stop.is_cancelled() => return None,
            Ok(Ok(())) => format!("{name} ended by itself"),
            Ok(Err(error)) => format!("{name}: {error:#}"),
            Err(panic) => format!("{name}: {panic}"),
        };
        // While it stops, nobody listens any more.
        drop(ended.send(why.clone()));
        Some(why)
    })
}

/// Runs until somebody asks it to stop, a part gives up, or there is nothing left to do.
async fn wait(
    args: &ServeArgs,
    threads: &threads::Threads,
    ends: &mut mpsc::UnboundedReceiver<String>,
) -> anyhow::Result<String> {
    tokio::select! {
        asked = asked_to_stop() => asked.map(str::to_owned),
        Some(ended) = ends.recv() => Ok(ended),
        failed = threads.failed() => Ok(failed),
        () = threads.idle(), if args.exit_when_idle => Ok("everything is read, processed and stored".into()),
    }
}

/// SIGTERM or Ctrl-C.
pub(crate) async fn asked_to_stop() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| "interrupted").context("listen for Ctrl-C"),
    }
}

/// Takes a data folder for this process alone: two that share one would share an instance's name,
/// and each would fence the other for ever. It is free again when the file is closed.
fn hold(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "data_dir {} is in use by another Watchfire: stop that one, or give this one a folder with --data-dir",
            data_dir.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

fn check_listen(config: &Config) -> anyhow::Result<()> {
    let listen = config.server.listen;
    if !listen.ip().is_loopback() && !config.server.allow_insecure_listen {
        bail!(
            "server.listen {listen} is beyond loopback and this server speaks plain HTTP: put a TLS proxy in front of \
             127.0.0.1, or set server.allow_insecure_listen = true if the network itself is trusted"
        );
    }
    if config.server.roles.is_empty() {
        bail!("server.roles is empty: name at least one of normalize, detect, store, alerting, api");
    }
    Ok(())
}

/// The API shows and changes what alerting writes, and that is in a file of one process.
fn check_roles(roles: &[Role]) -> anyhow::Result<()> {
    let (has, lacks) = match (roles.contains(&Role::Api), roles.contains(&Role::Alerting)) {
        (true, false) => ("api", "alerting"),
        (false, true) => ("alerting", "api"),
        _ => return Ok(()),
    };
    bail!(
        "server.roles has {has} without {lacks}: until alert state is in PostgreSQL it is in this process's SQLite \
         (control.sqlite in data_dir), so whoever serves alerts must be who stores them; name both or neither"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_and_alerting_go_together() {
        for (roles, allowed) in [
            (vec![Role::Normalize, Role::Detect], true),
            (vec![Role::Api, Role::Alerting, Role::Store], true),
            (vec![Role::Api], false),
            (vec![Role::Store, Role::Alerting], false),
        ] {
            assert_eq!(check_roles(&roles).is_ok(), allowed, "{roles:?}");
        }
        let why = check_roles(&[Role::Api]).expect_err("refused").to_string();
        assert!(why.contains("SQLite") && why.contains("api without alerting"), "{why}");
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_told_and_one_that_was_asked_is_not() {
        let stop = CancellationToken::new();
        let (ended, mut ends) = mpsc::unbounded_channel();
        let fails = tokio::spawn(async { Err(anyhow::anyhow!("disk").context("serve the API")) });
        let failed = watched("api", fails, stop.clone(), ended.clone());
        assert_eq!(ends.recv().await.as_deref(), Some("api: serve the API: disk"));
        assert!(failed.await.expect("joins").is_some());
        let returns = watched("outbox", tokio::spawn(async { Ok(()) }), stop.clone(), ended.clone());
        assert_eq!(returns.await.expect("joins").as_deref(), Some("outbox ended by itself"));
        let panics = tokio::spawn(async { panic!("a bug of ours") });
        assert!(watched("outbox", panics, stop.clone(), ended.clone()).await.expect("joins").is_some());
        stop.cancel();
        let stops = tokio::spawn(async { Ok(()) });
        assert_eq!(watched("outbox", stops, stop, ended).await.expect("joins"), None);
    }
}
