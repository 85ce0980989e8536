//! What is known beside what a line says: of addresses from MaxMind DB files, of partners from the
//! registry. A line that says it itself is believed first, and what is not known stays empty.

mod countries;
mod partners;
mod places;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use event::EventRow;

use crate::address;
use crate::client::EDGE_ADDRESS;

pub(crate) use countries::alpha2;
pub(crate) use partners::OUTSIDE_EGRESS;
pub use partners::PartnerFacts;
pub(crate) use places::Known;
pub use places::{BadPlaces, Places};

/// The flag of an address that does not tell where its user is: a hosting company's, a VPN's, a proxy's or Tor's.
pub(crate) const VEILED_ADDRESS: &str = "veiled_address";

/// All of it.
#[derive(Debug, Default)]
pub struct Enrichment {
    /// Where addresses are.
    pub places: Places,
    /// What partners declared, by their names.
    pub partners: BTreeMap<String, PartnerFacts>,
}

impl Enrichment {
    /// Fills in what the row does not say, and flags what a partner declared otherwise. Says whether a
    /// call came from where its partner declared that its calls come from.
    pub(crate) fn apply(&self, row: &mut EventRow<'_>, known: &mut Known) -> bool {
        if self.places.is_empty() && self.partners.is_empty() {
            return false;
        }
        let is_edge = row.flags.iter().any(|flag| flag == EDGE_ADDRESS);
        let address = row.src_ip.as_deref().filter(|_| !is_edge).and_then(address::parse);
        if let Some(address) = address.filter(|_| !self.places.is_empty()) {
            let place = self.places.of(address, known);
            let text = |text: &Option<Arc<str>>| text.as_deref().map(|text| Cow::Owned(text.to_owned()));
            if place.is_known() {
                row.enriched_by = Some(Cow::Owned(self.places.versions().to_owned()));
            }
            row.src_asn = row.src_asn.or(place.asn);
            row.flags.extend(place.is_veiled.then_some(Cow::Borrowed(VEILED_ADDRESS)));
            let said = row.src_country.as_deref();
            // Where the line names another country the database is wrong about the place, too.
            let agrees = said.is_none() || said == place.country.as_deref();
            if let (None, None, true) = (row.src_lat, row.src_lon, agrees) {
                (row.src_lat, row.src_lon) = place.degrees.unzip();
            }
            for (column, found) in [
                (&mut row.src_as_name, &place.as_name),
                (&mut row.src_country, &place.country),
                (&mut row.src_city, &place.city),
            ] {
                *column = column.take().or_else(|| text(found));
            }
        }
        let partner = row.tenant.as_deref().and_then(|tenant| self.partners.get(tenant));
        partner.is_some_and(|partner| partner.apply(row, address))
    }
}
