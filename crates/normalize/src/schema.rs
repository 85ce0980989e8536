//! Descriptions of sources: the folders of `schemas/`, read, checked and made ready to use.

mod line_number;
mod reader;
mod source;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use source::{Carries, Format, Recognise, Source, is_in_our_time};

use crate::recognise::Keys;

macro_rules! sources {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../schemas/", $name, "/schema.yaml"))),)*]
    };
}

/// The sources that the binary brings with it.
const BUILT_IN: &[(&str, &str)] = sources! {
    "apache_common" "application" "auth0" "caddy" "iis" "aws_alb" "aws_apigw" "aws_cloudtrail" "cef" "cloudflare_http"
    "csp_report" "csp_reporting_api" "docker" "ecs" "envoy_json" "envoy_text" "fluent_bit" "haproxy"
    "keycloak" "kong" "logstash" "nginx_combined" "nginx_error" "nginx_json"
    "nginx_proxy_manager" "nginx_vhost" "ocsf" "okta" "otlp" "owasp" "partner"
    "sshd" "syslog_rfc5424" "traefik" "vector" "windows" "windows_xml"
};

/// A description that cannot be used: which file, which key, what is wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {key}: {problem}; {cure}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct SchemaError {
    /// The file.
    pub file: String,
    /// The line in it, from 1, where there is one.
    pub line: Option<usize>,
    /// The key in it, as a path.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub cure: String,
}

/// Every source that is known, by name.
#[derive(Debug)]
pub struct Schemas {
    /// In the order in which they are tried on a line: the most particular first.
    order: Vec<Source>,
    /// Where in that order each name stands.
    places: BTreeMap<String, usize>,
    /// The keys that lines of JSON are recognised by.
    keys: Keys,
}

impl Schemas {
    /// The sources that the binary brings with it.
    pub fn built_in() -> Schemas {
        Self::ordered(Self::brought())
    }

    fn brought() -> BTreeMap<String, Source> {
        let sources = BUILT_IN.iter().map(|(name, yaml)| {
            let source = Source::read(name, &format!("schemas/{name}/schema.yaml"), yaml);
            ((*name).to_owned(), source.expect("the schemas that are built in are compiled by a test"))
        });
        sources.collect()
    }

    /// The built-in sources and those of a folder, each a folder with a `schema.yaml`. One of the
    /// same name takes the built-in one's place.
    pub fn load(dir: &Path) -> Result<Schemas, SchemaError> {
        let mut sources = Self::brought();
        let unreadable = |path: &Path, error: std::io::Error| SchemaError {
            file: path.display().to_string(),
            line: None,
            key: "file".to_owned(),
            problem: error.to_string(),
            cure: "name a folder that holds one folder with a schema.yaml for each source".to_owned(),
        };
        for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
            let folder = entry.map_err(|error| unreadable(dir, error))?.path();
            let file = folder.join("schema.yaml");
            let (Some(name), true) = (folder.file_name().and_then(|name| name.to_str()), file.is_file())
            else {
                continue;
            };
            let yaml = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
            sources.insert(name.to_owned(), Source::read(name, &file.display().to_string(), &yaml)?);
        }
        Ok(Self::ordered(sources))
    }

    /// The names of all sources, in order.
    pub fn names(&self) -> Vec<&str> {
        self.places.keys().map(String::as_str).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Source> {
        self.places.get(name).map(|place| &self.order[*place])
    }

    /// The sources in the order in which they are tried on a line.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Source> {
        self.order.iter()
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    fn ordered(sources: BTreeMap<String, Source>) -> Self {
        let mut order: Vec<(String, Source)> = sources.into_iter().collect();
        order.sort_by_key(|(_, source)| std::cmp::Reverse(source.particular()));
        let places = order.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        let order: Vec<Source> = order.into_iter().map(|(_, source)| source).collect();
        Self { places, keys: Keys::of(&order), order }
    }
}

#[cfg(test)]
mod tests;
