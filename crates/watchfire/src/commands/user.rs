//! `watchfire user`: who may log in to the embedded broker, and what each may do.
//!
//! Works on the file of users itself. A running broker sees what was done here some seconds later.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use ::broker::users::{self, Role, Users};
use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;

use crate::cli::ConfigArgs;
use crate::config::{Overrides, write_private};

/// Random bytes of a password that is made up.
const PASSWORD_BYTES: usize = 24;

/// Flags of `user`.
#[derive(clap::Args)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(clap::Subcommand)]
enum UserCommand {
    /// Make a user, or give one another role or password. The password is made up and printed, the only
    /// time that it is shown, unless --password-stdin or --certificate is given.
    Set(SetArgs),
    /// List the users.
    List(WhereArgs),
    /// Remove a user. A running broker refuses it within ten seconds, open connections too.
    Remove(RemoveArgs),
}

/// Where the file of users is.
#[derive(clap::Args)]
struct WhereArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The file of users [default: broker.users_file of the configuration].
    #[arg(long, value_name = "FILE")]
    users_file: Option<String>,
}

#[derive(clap::Args)]
struct SetArgs {
    /// The name. A producer's is its partner's id: it may append to topics logs.<name>.* and no others.
    name: String,
    /// produce: append to its own topics, which are made when they do not exist; nothing else.
    /// admin: everything.
    #[arg(long, default_value = "produce")]
    role: Role,
    /// Read the password from standard input, one line.
    #[arg(long, conflicts_with = "certificate")]
    password_stdin: bool,
    /// No password: the user comes with a certificate that has this common name (broker.tls_client_ca).
    #[arg(long)]
    certificate: bool,
    #[command(flatten)]
    place: WhereArgs,
}

#[derive(clap::Args)]
struct RemoveArgs {
    /// The name, as `user list` shows it.
    name: String,
    #[command(flatten)]
    place: WhereArgs,
}

pub(crate) fn run(args: &UserArgs) -> anyhow::Result<()> {
    match &args.command {
        UserCommand::Set(args) => set(args),
        UserCommand::List(place) => list(place),
        UserCommand::Remove(args) => remove(args),
    }
}

fn set(args: &SetArgs) -> anyhow::Result<()> {
    let path = args.place.path()?;
    let mut made_up = None;
    let line = if args.certificate {
        users::line_with_certificate(&args.name, args.role)
    } else {
        let password = if args.password_stdin { read_password()? } else { make_password()? };
        let line = users::line_with_password(&args.name, args.role, &password);
        made_up = (!args.password_stdin).then_some(password);
        line
    };
    let line = line.map_err(anyhow::Error::msg)?;
    let was_there = edit(&path, &args.name, Some(&line))?;
    let done = if was_there { "changed" } else { "made" };
    eprintln!("{done} {} ({}) in {}", args.name, args.role, path.display());
    if let Some(password) = made_up {
        eprintln!("its password, shown only now:");
        writeln!(std::io::stdout(), "{password}").context("print the password")?;
    }
    Ok(())
}

fn list(place: &WhereArgs) -> anyhow::Result<()> {
    let path = place.path()?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let users = Users::read(&text).with_context(|| path.display().to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<24} {:<8} comes with", "name", "role")?;
    for (name, user) in users.iter() {
        let comes_with = if user.has_password() { "a password" } else { "a certificate" };
        writeln!(out, "{name:<24} {:<8} {comes_with}", user.role.to_string())?;
    }
    Ok(())
}

fn remove(args: &RemoveArgs) -> anyhow::Result<()> {
    let path = args.place.path()?;
    if !edit(&path, &args.name, None)? {
        bail!(
            "there is no user {} in {}; `watchfire user list` shows who there is",
            args.name,
            path.display()
        );
    }
    eprintln!("removed {} from {}", args.name, path.display());
    Ok(())
}

/// Puts another line in the place of a user's. The file is replaced as a whole, and read before that.
fn edit(path: &Path, name: &str, line: Option<&str>) -> anyhow::Result<bool> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && line.is_some() => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let (after, was_there) = users::with_line(&before, name, line);
    Users::read(&after).with_context(|| path.display().to_string())?;
    write_private(path, &after)?;
    Ok(was_there)
}

fn read_password() -> anyhow::Result<String> {
    let mut password = String::new();
    std::io::stdin().lock().read_line(&mut password).context("read the password")?;
    Ok(password.trim_end_matches(['\n', '\r']).to_owned())
}

fn make_password() -> anyhow::Result<String> {
    let mut bytes = [0; PASSWORD_BYTES];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).context("draw a password")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl WhereArgs {
    fn path(&self) -> anyhow::Result<PathBuf> {
        let mut flags = Overrides::default();
        flags.set("broker.users_file", self.users_file.clone());
        let path = self.config.load(flags)?.broker.users_file;
        if path.as_os_str().is_empty() {
            bail!("which file? Say --users-file FILE, or set broker.users_file in the configuration");
        }
        Ok(path)
    }
}
