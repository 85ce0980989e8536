//! Files of rules: `DETECTOR.toml`, with the detector's parameters at the top and those of partners below.
//!
//! ```toml
//! version = 2                 # your own number; alerts carry it
//! paths = 40                  # for every partner
//!
//! [partners.prt_acme]
//! paths = 90                  # for this one
//! ```
//!
//! Below them stand its examples ([`Example`]).

use std::collections::BTreeMap;

use event::Tenant;
use toml::{Table, Value};

use super::error::RuleError;
use super::example::Example;
use super::lines::{Lines, line_at};
use super::nearest;
use super::per_tenant::{Parameters, PerTenant};
use crate::detectors;

/// The version of a file that gives none, and of a detector without a file.
const VERSION: u32 = 1;
/// A longer file is refused.
const BYTES_MAX: usize = 1 << 20;
/// More examples are refused.
const EXAMPLES_MAX: usize = 100;
/// What is no parameter at the top of a file.
#[cfg(test)]
pub(super) const NO_PARAMETERS: [&str; 3] = ["version", "partners", "examples"];

/// The text of a file and whose rules it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// How errors call it.
    pub file: String,
    /// The detector's name: the file's, without `.toml`.
    pub detector: String,
    /// What is in it.
    pub text: String,
}

/// Files that were read, by detector.
pub(super) struct Files(BTreeMap<String, Parsed>);

/// A file whose shape is right, with parameters that nobody has looked at.
pub(super) struct Parsed {
    file: String,
    lines: Lines,
    version: u32,
    parameters: Table,
    partners: BTreeMap<String, Table>,
    pub(super) examples: Vec<Example>,
}

impl Files {
    pub(super) fn read(files: &[RuleFile]) -> Result<Self, RuleError> {
        let mut read = BTreeMap::new();
        for file in files {
            if read.insert(file.detector.clone(), Parsed::read(file)?).is_some() {
                return Err(RuleError {
                    file: file.file.clone(),
                    line: None,
                    key: "file".to_owned(),
                    problem: format!("another file tells of {}, too", file.detector),
                    cure: "keep one of them".to_owned(),
                });
            }
        }
        Ok(Self(read))
    }

    /// The examples of a detector's file.
    pub(super) fn examples(&self, detector: &str) -> &[Example] {
        self.0.get(detector).map_or(&[], |file| &file.examples)
    }

    /// What a detector goes by whose parameters were `below` without a file.
    pub(super) fn resolve<P: Parameters>(&self, below: &P) -> Result<PerTenant<P>, RuleError> {
        let Some(file) = self.0.get(P::DETECTOR) else {
            return Ok(PerTenant::new(VERSION, below.clone(), BTreeMap::new()));
        };
        let everyone = file.lay("", &file.parameters, below)?;
        let partners = file.partners.iter().map(|(partner, own)| {
            Ok((partner.clone(), file.lay(&format!("partners.{partner}."), own, &everyone)?))
        });
        let partners = partners.collect::<Result<_, RuleError>>()?;
        Ok(PerTenant::new(file.version, everyone, partners))
    }
}

impl Parsed {
    pub(super) fn read(file: &RuleFile) -> Result<Self, RuleError> {
        let wrong = |line: Option<usize>, problem: String, cure: &str| RuleError {
            file: file.file.clone(),
            line,
            key: "file".to_owned(),
            problem,
            cure: cure.to_owned(),
        };
        let Some(detector) = detectors::NAMES.into_iter().find(|name| *name == file.detector) else {
            let cure = nearest::cure(&file.detector, detectors::NAMES.into_iter());
            return Err(wrong(None, format!("no detector is named {}", file.detector), &cure));
        };
        if file.text.len() > BYTES_MAX {
            let problem = format!("{} bytes are too many", file.text.len());
            return Err(wrong(None, problem, &format!("keep it below {BYTES_MAX}")));
        }
        let mut parameters: Table = toml::from_str(&file.text).map_err(|error| {
            let line = error.span().map(|span| line_at(&file.text, span.start));
            wrong(line, error.message().to_owned(), "write valid TOML: `name = number` lines")
        })?;
        let mut parsed = Self {
            file: file.file.clone(),
            lines: Lines::of(&file.text),
            version: VERSION,
            parameters: Table::new(),
            partners: BTreeMap::new(),
            examples: Vec::new(),
        };
        if let Some(version) = parameters.remove("version") {
            parsed.version = parsed.version(&version)?;
        }
        if let Some(partners) = parameters.remove("partners") {
            parsed.partners = parsed.partners(partners)?;
        }
        if let Some(examples) = parameters.remove("examples") {
            parsed.examples = parsed.examples(detector, examples)?;
        }
        Ok(Self { parameters, ..parsed })
    }

    fn version(&self, value: &Value) -> Result<u32, RuleError> {
        let version = value.as_integer().and_then(|version| u32::try_from(version).ok());
        version.ok_or_else(|| {
            self.wrong("version", "is no whole number from 0", "write one such as version = 2")
        })
    }

    fn partners(&self, value: Value) -> Result<BTreeMap<String, Table>, RuleError> {
        let cure = "write a section such as [partners.prt_acme] with parameters below it";
        let Value::Table(partners) = value else { return Err(self.wrong("partners", "is no section", cure)) };
        let partner = |(name, own): (String, Value)| {
            let key = format!("partners.{name}");
            Tenant::parse(&name)
                .map_err(|error| self.wrong(&key, &error.to_string(), "name a partner by its id"))?;
            match own {
                Value::Table(own) => Ok((name, own)),
                _ => Err(self.wrong(&key, "is no section", cure)),
            }
        };
        partners.into_iter().map(partner).collect()
    }

    fn examples(&self, detector: &'static str, value: Value) -> Result<Vec<Example>, RuleError> {
        let cure = format!("write sections [[examples]], {EXAMPLES_MAX} at most");
        let Value::Array(examples) = value else { return Err(self.wrong("examples", "is no list", &cure)) };
        if examples.len() > EXAMPLES_MAX {
            return Err(self.wrong("examples", &format!("{} are too many", examples.len()), &cure));
        }
        let classes = || detectors::classes(detector).iter().map(|info| info.class);
        let example = |(n, value): (usize, Value)| {
            let key = format!("examples[{n}]");
            let line = self.lines.line(&key).map(|line| format!(":{line}")).unwrap_or_default();
            let example = Example::read(detector, format!("{}{line}", self.file), value);
            let within =
                |inside: String| if inside.is_empty() { key.clone() } else { format!("{key}.{inside}") };
            let example =
                example.map_err(|(inside, problem, cure)| self.wrong(&within(inside), &problem, &cure))?;
            match example.raises.iter().find(|class| !classes().any(|known| known == *class)) {
                None => Ok(example),
                Some(class) => {
                    let problem = format!("{detector} has no class {class}");
                    Err(self.wrong(&within("raises".to_owned()), &problem, &nearest::cure(class, classes())))
                }
            }
        };
        examples.into_iter().enumerate().map(example).collect()
    }

    /// Lays parameters of this file, which stand `within` a part of it, on those below.
    fn lay<P: Parameters>(&self, within: &str, own: &Table, below: &P) -> Result<P, RuleError> {
        let below = Table::try_from(below).expect("parameters are numbers and texts");
        let mut laid = below.clone();
        for (name, value) in own {
            let key = format!("{within}{name}");
            if !below.contains_key(name) {
                let problem = format!("{} has no parameter of this name", P::DETECTOR);
                return Err(self.wrong(
                    &key,
                    &problem,
                    &nearest::cure(name, below.keys().map(String::as_str)),
                ));
            }
            let mut alone = below.clone();
            alone.insert(name.clone(), value.clone());
            if let Err(error) = alone.try_into::<P>() {
                let cure = format!("write it like the default: {name} = {}", below[name]);
                return Err(self.wrong(&key, error.message(), &cure));
            }
            laid.insert(name.clone(), value.clone());
        }
        let laid: P = laid.try_into().map_err(|error| self.wrong(within, error.message(), "mend it"))?;
        laid.validate().map_err(|why| self.senseless::<P>(within, own, &why))?;
        Ok(laid)
    }

    /// A value that makes no sense; `why` names the parameter and says what would be right.
    fn senseless<P: Parameters>(&self, within: &str, own: &Table, why: &str) -> RuleError {
        let (name, why) = why.split_once(": ").unwrap_or(("", why));
        let name = name.strip_prefix(P::DETECTOR).map_or(name, |name| name.trim_start_matches('.'));
        // What was wrong may be another parameter, which was held against one of this file.
        let said = own.keys().find(|key| *key == name).or_else(|| own.keys().next());
        let key = format!("{within}{}", said.map_or(name, String::as_str));
        let (problem, cure) = match why.split_once(", is ") {
            Some((cure, value)) if said.is_some_and(|said| said == name) => {
                (format!("{value} is out of range"), cure.to_owned())
            }
            _ => (format!("{name} makes no sense with it"), format!("{name} {why}")),
        };
        self.wrong(&key, &problem, &cure)
    }

    fn wrong(&self, key: &str, problem: &str, cure: &str) -> RuleError {
        RuleError {
            file: self.file.clone(),
            line: self.lines.line(key),
            key: key.to_owned(),
            problem: problem.to_owned(),
            cure: cure.to_owned(),
        }
    }
}
