//! What is agreed with each partner: under `[partners]`, or in a file of its own.

use std::collections::BTreeMap;
use std::path::Path;

use ::normalize::PartnerFacts;
use anyhow::{Context, ensure};
use event::Tenant;
use serde::{Deserialize, Serialize};

use super::Config;
use super::normalize::networks;

/// What is agreed with a partner.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Partner {
    /// Requests a minute that the contract allows.
    pub(crate) requests_per_minute: Option<f64>,
    /// Its clock's offset from UTC, e.g. +01:00: its week starts there.
    pub(crate) zone: Option<String>,
    /// production or sandbox, for lines that do not say.
    pub(crate) environment: Option<String>,
    /// Networks that its backend calls from; a key used from elsewhere is flagged.
    pub(crate) egress: Vec<String>,
    /// Countries that its users and backend are in, as ISO 3166-1 alpha-2; others are flagged.
    pub(crate) countries: Vec<String>,
    /// Whom to tell, e.g. security@acme.example.
    pub(crate) contacts: Vec<String>,
    /// Whether a file of its own says so.
    #[serde(skip)]
    pub(crate) is_of_folder: bool,
}

impl Partner {
    /// What lines of this partner are held against.
    pub(crate) fn facts(&self) -> anyhow::Result<PartnerFacts> {
        let known = ["production", "sandbox"];
        let environment = self.environment.clone();
        ensure!(
            environment.as_deref().is_none_or(|named| known.contains(&named)),
            "environment: is neither production nor sandbox"
        );
        let is_code = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if let Some(wrong) = self.countries.iter().find(|code| !is_code(code)) {
            anyhow::bail!("countries: `{wrong}` is no ISO 3166-1 alpha-2 code such as DE");
        }
        let egress = networks(&self.egress).context("egress")?;
        Ok(PartnerFacts { environment, egress, countries: self.countries.clone() })
    }
}

/// Adds the partners of a folder of files.
pub(super) fn add(config: &mut Config) -> anyhow::Result<()> {
    let dir = config.enrich.partners_dir.clone();
    if dir.is_empty() {
        return Ok(());
    }
    for (name, partner) in read(Path::new(&dir)).context("enrich.partners_dir")? {
        ensure!(
            config.partners.insert(name.clone(), partner).is_none(),
            "enrich.partners_dir: {dir}/{name}.toml tells of a partner that [partners] has, too; keep one of them"
        );
    }
    Ok(())
}

/// The partners of a folder, by the names of their files.
fn read(dir: &Path) -> anyhow::Result<BTreeMap<String, Partner>> {
    let mut partners = BTreeMap::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry.with_context(|| format!("read {}", dir.display()))?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(name), Some("toml")) = (name, path.extension().and_then(|extension| extension.to_str()))
        else {
            continue;
        };
        let of_file = || path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(of_file)?;
        let partner: Partner = toml::from_str(&text).with_context(of_file)?;
        partners.insert(name.to_owned(), Partner { is_of_folder: true, ..partner });
    }
    Ok(partners)
}

impl Config {
    /// The same with the folder's partners read anew.
    pub(crate) fn with_partners_again(mut self) -> anyhow::Result<Self> {
        let dir = self.enrich.partners_dir.clone();
        if !dir.is_empty() {
            self.partners.retain(|_, partner| !partner.is_of_folder);
            add(&mut self)?;
            validate(&self)?;
        }
        Ok(self)
    }
}

/// Holds every partner against what can be.
pub(super) fn validate(config: &Config) -> anyhow::Result<()> {
    for (name, partner) in &config.partners {
        let of = || format!("partners.{name}");
        Tenant::parse(name).map_err(|error| anyhow::anyhow!("{error}")).with_context(of)?;
        partner.facts().with_context(of)?;
    }
    Ok(())
}

impl Config {
    /// The detectors' view of what is agreed with partners.
    pub(crate) fn tell_detectors_of_contracts(&mut self) {
        for (tenant, partner) in &self.partners {
            let Some(requests_per_minute) = partner.requests_per_minute else { continue };
            let contract = detect::Contract { requests_per_minute, zone: partner.zone.clone() };
            self.detect.detectors.contracts.insert(tenant.clone(), contract);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        let mut config = Config::default();
        config.enrich.partners_dir = dir.path().display().to_string();
        add(&mut config)?;
        validate(&config)?;
        Ok(config)
    }

    #[test]
    fn each_file_of_the_folder_is_a_partner() {
        let acme = "requests_per_minute = 600\nenvironment = \"production\"\negress = [\"203.0.113.0/24\"]\ncountries = [\"DE\"]\ncontacts = [\"security@acme.example\"]";
        let mut config = with(&[("prt_acme.toml", acme), ("notes.txt", "x")]).expect("well-formed");
        let partner = &config.partners["prt_acme"];
        assert_eq!((partner.requests_per_minute, partner.countries[0].as_str()), (Some(600.0), "DE"));
        config.tell_detectors_of_contracts();
        assert_eq!(config.detect.detectors.contracts.len(), 1);
    }

    #[test]
    fn the_folder_is_read_anew_and_what_the_configuration_says_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
        let mut config = Config::default();
        config.enrich.partners_dir = dir.path().display().to_string();
        config.partners.insert("prt_here".into(), Partner::default());
        write("prt_acme.toml", "countries = [\"DE\"]");
        add(&mut config).expect("well-formed");
        write("prt_acme.toml", "countries = [\"FR\"]");
        write("prt_new.toml", "");
        let again = config.clone().with_partners_again().expect("well-formed");
        assert_eq!(again.partners.keys().collect::<Vec<_>>(), ["prt_acme", "prt_here", "prt_new"]);
        assert_eq!(again.partners["prt_acme"].countries, ["FR"]);
        write("prt_here.toml", "");
        let error = format!("{:#}", config.with_partners_again().expect_err("told twice"));
        assert!(error.contains("prt_here.toml") && error.contains("keep one of them"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file_or_partner() {
        for (text, expected) in [
            ("rate = 1", "prt_acme.toml"),
            ("egress = [\"203.0.113.0/99\"]", "partners.prt_acme: egress: `203.0.113.0/99` is no network"),
            ("countries = [\"Germany\"]", "countries: `Germany`"),
            ("environment = \"test\"", "neither production nor sandbox"),
        ] {
            let error = format!("{:#}", with(&[("prt_acme.toml", text)]).expect_err("wrong"));
            assert!(error.contains(expected), "{error}");
        }
    }
}
