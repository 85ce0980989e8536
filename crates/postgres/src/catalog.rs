//! `pg_catalog` and `information_schema`, as far as clients look into them before they ask.
//!
//! What is listed are the tables that every caller may query: nobody sees more of them than the next,
//! only other rows in them. So all of it is constant, and made once.

mod functions;
mod rows;
mod tables;
mod translate;

use query::Catalog;

pub(crate) use translate::INFORMATION;

/// What the engine is given for clients of this protocol.
pub(crate) fn catalog() -> Catalog {
    Catalog::new(functions::all(), translate::translate)
        .with_schema("pg_catalog", tables::pg_catalog())
        .and_then(|catalog| catalog.with_schema(INFORMATION, tables::information_schema()))
        .expect("the tables have names that differ and columns of equal length: a test makes them")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalog_can_be_made() {
        super::catalog();
    }
}
