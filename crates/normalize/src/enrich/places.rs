//! Countries, cities and autonomous systems of addresses, from files in the MaxMind DB format, as
//! GeoLite2, GeoIP2, DB-IP and IPinfo publish them.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;
use maxminddb::Reader;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// How many addresses a reader remembers.
const KNOWN_MAX: usize = 65_536;

/// What is known less exactly is not where somebody is, but the middle of a country.
const ACCURACY_KM_MAX: u16 = 500;

/// A name that is longer is none.
const NAME_BYTES_MAX: usize = 128;

/// A file that is no database.
#[derive(Debug, thiserror::Error)]
#[error("{file}: not a MaxMind DB file that can be used")]
pub struct BadPlaces {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Databases of addresses, held in memory. The first that knows something counts.
#[derive(Default)]
pub struct Places {
    databases: Vec<Reader<Vec<u8>>>,
    versions: String,
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Places({})", self.versions)
    }
}

/// What is known of an address.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) asn: Option<i64>,
    pub(super) as_name: Option<Arc<str>>,
    /// ISO 3166-1 alpha-2.
    pub(super) country: Option<Arc<str>>,
    pub(super) city: Option<Arc<str>>,
    /// Latitude and longitude.
    pub(super) degrees: Option<(f64, f64)>,
    /// It is where a hosting company, a VPN, a proxy or Tor lets others out.
    pub(super) is_veiled: bool,
}

impl Place {
    pub(super) fn is_known(&self) -> bool {
        *self != Self::default()
    }
}

/// Places that were looked up before. What it holds are results of pure functions.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<IpAddr, Arc<Place>>);

impl Places {
    /// Adds a file.
    pub fn load(&mut self, file: &Path) -> Result<(), BadPlaces> {
        let bad = |cause| BadPlaces { file: file.display().to_string(), cause };
        let bytes = std::fs::read(file).map_err(|error| bad(error.into()))?;
        let reader = Reader::from_source(bytes).map_err(|error| bad(error.into()))?;
        let metadata = reader.metadata();
        let built = i64::try_from(metadata.build_epoch).unwrap_or(0);
        let day = chrono::DateTime::from_timestamp(built, 0).unwrap_or_default().format("%Y-%m-%d");
        let separator = if self.versions.is_empty() { "" } else { ", " };
        self.versions = format!("{}{separator}{} {day}", self.versions, metadata.database_type);
        self.databases.push(reader);
        Ok(())
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// Which databases these are and of which day, e.g. `GeoLite2-City 2026-11-03, GeoLite2-ASN 2026-11-05`.
    pub fn versions(&self) -> &str {
        &self.versions
    }

    pub(super) fn of(&self, address: IpAddr, known: &mut Known) -> Arc<Place> {
        if let Some(place) = known.0.get(&address) {
            return Arc::clone(place);
        }
        let place = Arc::new(self.look_up(address));
        if known.0.len() == KNOWN_MAX {
            // Starting anew is cheaper than keeping an order.
            known.0.clear();
        }
        known.0.insert(address, Arc::clone(&place));
        place
    }

    fn look_up(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for database in &self.databases {
            // A record that is not as expected is unknown, as is an address that no record has.
            let Ok(Some(record)) = database.lookup(address).and_then(|found| found.decode::<Record<'_>>())
            else {
                continue;
            };
            place.asn = place.asn.or(record.asn());
            place.degrees = place.degrees.or(record.degrees());
            place.is_veiled |= record.is_veiled();
            for (known, said) in [
                (&mut place.as_name, record.as_name()),
                (&mut place.country, record.country()),
                (&mut place.city, record.city.and_then(Named::name)),
            ] {
                let said = said.filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
                *known = known.take().or_else(|| said.map(Into::into));
            }
        }
        place
    }
}

/// A record of any of the publishers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    autonomous_system_number: Option<u32>,
    #[serde(borrow)]
    autonomous_system_organization: Option<&'a str>,
    #[serde(borrow)]
    country: Option<Country<'a>>,
    #[serde(borrow)]
    city: Option<Named<'a>>,
    /// IPinfo's: `AS15169`, a name, a code.
    #[serde(borrow)]
    asn: Option<&'a str>,
    #[serde(borrow)]
    as_name: Option<&'a str>,
    #[serde(borrow)]
    country_code: Option<&'a str>,
    location: Option<Location>,
    traits: Option<Veil>,
    is_anonymous: bool,
    is_hosting_provider: bool,
}

/// Where it is, and how exactly that is known.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Location {
    Degrees { latitude: f64, longitude: f64, accuracy_radius: Option<u16> },
    Other(IgnoredAny),
}

/// What MaxMind tells of those who let others out, beside other things or in a database of its own: the first is
/// said where anything of a VPN, a proxy, Tor or a hosting company is.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Veil {
    is_anonymous: bool,
    is_hosting_provider: bool,
}

/// A country as an object, or as a code or name of its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country<'a> {
    Object {
        #[serde(borrow)]
        iso_code: Option<&'a str>,
    },
    Text(#[serde(borrow)] &'a str),
}

/// A place with names by language, or with one name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Named<'a> {
    Object {
        #[serde(borrow)]
        names: Option<English<'a>>,
    },
    Text(#[serde(borrow)] &'a str),
}

#[derive(Debug, Deserialize)]
struct English<'a> {
    #[serde(borrow)]
    en: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn name(self) -> Option<&'a str> {
        match self {
            Self::Object { names } => names?.en,
            Self::Text(name) => Some(name),
        }
    }
}

impl<'a> Record<'a> {
    fn asn(&self) -> Option<i64> {
        let number = self.autonomous_system_number.or_else(|| self.asn?.strip_prefix("AS")?.parse().ok());
        number.map(i64::from)
    }

    fn degrees(&self) -> Option<(f64, f64)> {
        let Some(Location::Degrees { latitude, longitude, accuracy_radius }) = self.location else {
            return None;
        };
        let is_exact = accuracy_radius.is_none_or(|km| km <= ACCURACY_KM_MAX);
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        (is_exact && is_on_earth).then_some((latitude, longitude))
    }

    fn is_veiled(&self) -> bool {
        let of_traits = self.traits.is_some_and(|veil| veil.is_anonymous || veil.is_hosting_provider);
        self.is_anonymous || self.is_hosting_provider || of_traits
    }

    fn as_name(&self) -> Option<&'a str> {
        self.autonomous_system_organization.or(self.as_name)
    }

    fn country(&self) -> Option<&'a str> {
        let code = match &self.country {
            Some(Country::Object { iso_code }) => *iso_code,
            Some(Country::Text(text)) => Some(*text),
            None => None,
        };
        code.filter(|code| code.len() == 2).or(self.country_code)
    }
}
