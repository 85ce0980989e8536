//! `watchfire token`: API tokens, made where the server keeps them.
//!
//! Works on the control database itself, so that whoever has lost the administrator's token can make
//! another. A running server sees what was done here some seconds later.

use std::io::Write;

use alerting::{Control, NewToken, Role, TokenEntry};
use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use event::{Scope, Tenant};
use pipeline::Clock;
use secrecy::ExposeSecret;

use crate::cli::ConfigArgs;
use crate::config::Overrides;

/// Flags of `token`.
#[derive(clap::Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(clap::Subcommand)]
enum TokenCommand {
    /// Make a token and print it: the token to standard output, what it is to standard error. It is
    /// kept only as a hash, so this is the only time that it is shown.
    Create(CreateArgs),
    /// List every token there ever was, without the tokens themselves.
    List(WhereArgs),
    /// Revoke a token. A running server refuses it within five seconds.
    Revoke(RevokeArgs),
}

/// Where the control database is.
#[derive(clap::Args)]
struct WhereArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The server's data folder [default: server.data_dir of the configuration].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

#[derive(clap::Args)]
struct CreateArgs {
    /// admin: everything, tokens included. analyst: reads, asks, works on alerts. shipper: sends logs
    /// by HTTP, and nothing else.
    #[arg(long, value_parser = role)]
    role: Role,
    /// The partner that it is for, whose logs it may send or read; may be given several times. Every
    /// partner if left out. A partner's own people get an analyst's token with --partner.
    #[arg(long, value_name = "PARTNER", value_parser = tenant)]
    partner: Vec<Tenant>,
    /// What it is called in lists and in the alerts' trail; no two tokens in force share a name. One
    /// is made up if left out.
    #[arg(long)]
    name: Option<String>,
    /// When it ends: a time from now (12h, 90d), a day (2027-01-31) or a moment (RFC 3339). Never if
    /// left out.
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    #[command(flatten)]
    place: WhereArgs,
}

#[derive(clap::Args)]
struct RevokeArgs {
    /// Its id or its name, as `token list` shows them.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: WhereArgs,
}

pub(crate) fn run(args: TokenArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.command {
            TokenCommand::Create(args) => create(args).await,
            TokenCommand::List(place) => list(&place).await,
            TokenCommand::Revoke(args) => revoke(&args).await,
        }
    })
}

async fn create(args: CreateArgs) -> anyhow::Result<()> {
    let scope = match args.partner.is_empty() {
        true => Scope::All,
        false => Scope::Tenants(args.partner.into_iter().collect()),
    };
    let control = args.place.open().await?;
    let now = now();
    let expires_at = args.expires.as_deref().map(|text| moment(text, now)).transpose()?;
    let new = NewToken { name: args.name, role: args.role, scope, expires_at };
    let (token, entry) = control.create_token(new).await?;
    control.close().await;
    eprintln!("{}", line(&entry, now));
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", token.expose_secret())?;
    Ok(out.flush()?)
}

async fn list(place: &WhereArgs) -> anyhow::Result<()> {
    let control = place.open().await?;
    let tokens = control.tokens().await?;
    let now = now();
    control.close().await;
    let mut out = std::io::stdout().lock();
    for entry in &tokens {
        writeln!(out, "{}", line(entry, now))?;
    }
    Ok(out.flush()?)
}

async fn revoke(args: &RevokeArgs) -> anyhow::Result<()> {
    let control = args.place.open().await?;
    let revoked = control.revoke_token(&args.id).await?;
    control.close().await;
    if !revoked {
        bail!("no token with the id or name {} is in force; `watchfire token list` shows them", args.id);
    }
    println!("revoked {}", args.id);
    Ok(())
}

impl WhereArgs {
    /// Opens the database that a server has made, and makes none: a token in a folder that no server
    /// uses opens no door, and says nothing of it.
    async fn open(&self) -> anyhow::Result<Control> {
        let mut flags = Overrides::default();
        flags.set("server.data_dir", self.data_dir.clone());
        let data_dir = self.config.load(flags)?.server.data_dir;
        let path = data_dir.join("control.sqlite");
        if !path.is_file() {
            bail!(
                "there is no control.sqlite in {}: name the server's folder with --data-dir or --config, or start \
                 the server once",
                data_dir.display()
            );
        }
        Control::open(&path).await.with_context(|| format!("open {}", path.display()))
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(Clock::system().now().millis()).unwrap_or_default()
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "a role is admin, analyst or shipper".to_owned())
}

fn tenant(text: &str) -> Result<Tenant, String> {
    Tenant::parse(text).map_err(|error| error.to_string())
}

/// `90d`, `12h`, `2027-01-31` (its beginning in UTC) or RFC 3339.
fn moment(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    let from_now = text
        .strip_suffix('d')
        .and_then(|days| TimeDelta::try_days(days.parse().ok()?))
        .or_else(|| text.strip_suffix('h').and_then(|hours| TimeDelta::try_hours(hours.parse().ok()?)));
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    from_now
        .and_then(|delta| now.checked_add_signed(delta))
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc()))
        .or_else(|| day().map(|midnight| midnight.and_utc()))
        .with_context(|| {
            format!("--expires {text}: give 12h, 90d, a day like 2027-01-31 or an RFC 3339 time")
        })
}

fn line(entry: &TokenEntry, now: DateTime<Utc>) -> String {
    let partners = match &entry.scope {
        Scope::All => "every partner".to_owned(),
        Scope::Tenants(tenants) => tenants.iter().map(Tenant::as_str).collect::<Vec<_>>().join(","),
    };
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M");
    let state = match (entry.revoked_at, entry.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if at <= now => format!("expired {}", day(at)),
        (None, Some(at)) => format!("until {}", day(at)),
        (None, None) => "in force".to_owned(),
    };
    format!(
        "{}  {:<8} {:<24} {partners}  made {}  {state}",
        entry.id,
        entry.role.as_str(),
        entry.name,
        day(entry.created_at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_from_now_a_day_or_a_moment() {
        let now = DateTime::UNIX_EPOCH;
        let check = |text: &str| moment(text, now).map(|at| at.to_rfc3339()).ok();
        assert_eq!(check("36h").as_deref(), Some("1970-01-02T12:00:00+00:00"));
        assert_eq!(check("31d").as_deref(), Some("1970-02-01T00:00:00+00:00"));
        assert_eq!(check("2027-01-31").as_deref(), Some("2027-01-31T00:00:00+00:00"));
        assert_eq!(check("2027-01-31T01:00:00+01:00").as_deref(), Some("2027-01-31T00:00:00+00:00"));
        for nonsense in ["", "d", "soon", "90", "9999999999999999d", "2027-02-30"] {
            assert_eq!(check(nonsense), None, "{nonsense}");
        }
    }
}
