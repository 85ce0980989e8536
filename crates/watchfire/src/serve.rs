//! `watchfire serve`: the wiring list. Builds each part from its section of the configuration,
//! runs the stages, and stops them in order.

mod broker;
mod demo;
mod health;
mod intake;
mod parts;
mod terminal;
mod threads;
mod upkeep;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::ServeArgs;
use crate::config::{Config, Role};

/// The largest record that our own topics carry.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

pub(crate) fn serve(mut config: Config, args: &ServeArgs) -> anyhow::Result<()> {
    crate::telemetry::start(&config.log)?;
    check_listen(&config)?;
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
    let threads = threads::Threads::start(&parts, &config)?;

    let stop_api = CancellationToken::new();
    let api = match config.server.roles.contains(&Role::Api) {
        true => Some(parts.serve_api(&config, &broker, &threads, stop_api.clone()).await?),
        false => None,
    };
    let outbox = parts.run_outbox(&config, stop_api.clone())?;
    let upkeep = upkeep::start(&config, parts.tables.clone(), stop_api.clone());
    let address = api.as_ref().map(|(address, _)| *address);
    terminal::greet(&config, args, &broker, &parts, address).await?;
    let demo = if args.demo { Some(demo::start(&parts)?) } else { None };
    let terminal = terminal::watch(args, &parts, &threads, stop_api.clone());

    let why = wait(args, &threads).await?;
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
    if let Some((_, api)) = api {
        api.await.context("stop the API")??;
    }
    let failures = threads.stop().await;
    outbox.await.context("stop the outbox")?;
    upkeep.await.context("stop upkeep")?;
    terminal.await.context("stop the terminal")?;
    terminal::farewell(&config, args, &parts, &threads).await?;
    broker.stop().await?;
    match failures.first() {
        Some(failure) => bail!("{failure}"),
        None => Ok(()),
    }
}

/// Runs until somebody asks it to stop, a stage gives up, or there is nothing left to do.
async fn wait(args: &ServeArgs, threads: &threads::Threads) -> anyhow::Result<String> {
    tokio::select! {
        asked = asked_to_stop() => asked.map(str::to_owned),
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
