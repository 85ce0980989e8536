//! `watchfire query`: SQL to a running server, a table back.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use arrow::ipc::reader::StreamReader;
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;

/// How an answer is printed.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
    Ndjson,
}

/// Flags of `query`.
#[derive(clap::Args)]
pub(crate) struct QueryArgs {
    /// The query; standard input if left out.
    sql: Option<String>,
    /// The server.
    #[arg(long, env = "WATCHFIRE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A file that holds the API token; else the variable WATCHFIRE_TOKEN does.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: &QueryArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(ask(args))
}

async fn ask(args: &QueryArgs) -> anyhow::Result<()> {
    let token = match &args.token_file {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?,
        None => crate::config::variable("WATCHFIRE_TOKEN")
            .context("name a token with --token-file or WATCHFIRE_TOKEN")?,
    };
    let sql = match &args.sql {
        Some(sql) => sql.clone(),
        None => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql).context("read the query from standard input")?;
            sql
        }
    };
    let accept = match args.format {
        Format::Table => "application/vnd.apache.arrow.stream",
        Format::Csv => "text/csv",
        Format::Json => "application/json",
        Format::Ndjson => "application/x-ndjson",
    };
    let url = format!("{}/v1/query", args.url.trim_end_matches('/'));
    let mut response = reqwest::Client::new()
        .post(&url)
        .bearer_auth(token.trim())
        .header("accept", accept)
        .header("content-type", "text/plain")
        .body(sql)
        .send()
        .await
        .with_context(|| format!("ask {url}; is the server running?"))?;
    if !response.status().is_success() {
        bail!("{}", problem(response.status().as_u16(), &response.text().await?));
    }
    if matches!(args.format, Format::Table) {
        return print_table(&response.bytes().await.context("read the answer")?);
    }
    let mut out = std::io::stdout().lock();
    while let Some(chunk) = response.chunk().await.context("read the answer")? {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}

fn print_table(bytes: &[u8]) -> anyhow::Result<()> {
    let batches = StreamReader::try_new(bytes, None)?.collect::<Result<Vec<_>, _>>()?;
    let rows: usize = batches.iter().map(arrow::record_batch::RecordBatch::num_rows).sum();
    println!("{}\n{rows} rows", pretty_format_batches(&batches)?);
    Ok(())
}

/// What a problem+json answer says, in one line.
fn problem(status: u16, body: &str) -> String {
    let parsed: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    match (parsed["title"].as_str(), parsed["detail"].as_str()) {
        (Some(title), Some(detail)) => format!("{title} ({status}): {detail}"),
        _ => format!("the server answered {status}: {body}"),
    }
}
