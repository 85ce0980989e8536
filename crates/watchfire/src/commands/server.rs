//! A running server, asked over its API.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;

/// How to reach a server from a command.
#[derive(clap::Args, Clone)]
pub(crate) struct ServerArgs {
    /// The server.
    #[arg(long, env = "WATCHFIRE_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// A file that holds the API token; else the variable WATCHFIRE_TOKEN does.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

impl ServerArgs {
    fn token(&self) -> anyhow::Result<String> {
        match &self.token_file {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("read {}", path.display())),
            None => crate::config::variable("WATCHFIRE_TOKEN")
                .context("name a token with --token-file or WATCHFIRE_TOKEN"),
        }
    }

    /// Asks in SQL. An answer that is none is an error.
    pub(crate) async fn ask(&self, sql: String, accept: &str) -> anyhow::Result<reqwest::Response> {
        let url = format!("{}/v1/query", self.url.trim_end_matches('/'));
        let response = reqwest::Client::new()
            .post(&url)
            .bearer_auth(self.token()?.trim())
            .header("accept", accept)
            .header("content-type", "text/plain")
            .body(sql)
            .send()
            .await
            .with_context(|| format!("ask {url}; is the server running?"))?;
        if !response.status().is_success() {
            bail!("{}", problem(response.status().as_u16(), &response.text().await?));
        }
        Ok(response)
    }

    /// What is at a path, as JSON.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<serde_json::Value> {
        let mut url = reqwest::Url::parse(&self.url).with_context(|| format!("{} is no URL", self.url))?;
        let mut segments =
            url.path_segments_mut().map_err(|()| anyhow::anyhow!("{} is no server's URL", self.url))?;
        segments.pop_if_empty().extend(path);
        drop(segments);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let asked = reqwest::Client::new().get(url.clone()).bearer_auth(self.token()?.trim()).send().await;
        let response = asked.with_context(|| format!("ask {url}; is the server running?"))?;
        if !response.status().is_success() {
            bail!("{}", problem(response.status().as_u16(), &response.text().await?));
        }
        response.json().await.context("read the answer")
    }

    /// The rows of an answer. One that misses rows is an error.
    pub(crate) async fn rows<T: DeserializeOwned>(&self, sql: String) -> anyhow::Result<Vec<T>> {
        let response = self.ask(sql, "application/x-ndjson").await?;
        let is_cut_off = response.headers().get("wf-truncated").is_some_and(|cut_off| cut_off == "true");
        let text = response.text().await.context("read the answer")?;
        anyhow::ensure!(!is_cut_off, "the answer has more rows than query.rows_max; ask for a shorter time");
        text.lines().map(|line| serde_json::from_str(line).context("read the answer")).collect()
    }
}

/// What a problem+json answer says, in one line.
fn problem(status: u16, body: &str) -> String {
    let parsed: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    match (parsed["title"].as_str(), parsed["detail"].as_str()) {
        (Some(title), Some(detail)) => format!("{title} ({status}): {detail}"),
        _ => format!("the server answered {status}: {body}"),
    }
}

/// A text in SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
