//! What there is to list: our tables and their columns, numbered.

use std::sync::LazyLock;

use query::QueryEngine;

use crate::oid::{Kind, Scalar};

/// The first number that PostgreSQL gives to what users make.
const FIRST: u32 = 16_384;

/// A table or view of ours.
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    /// `r` for a table, `v` for a view.
    pub(super) kind: &'static str,
    pub(super) columns: Vec<Attribute>,
}

/// A column of it.
pub(super) struct Attribute {
    pub(super) number: i16,
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) kind: Kind,
}

/// Everything that can stand behind FROM.
pub(super) fn relations() -> &'static [Relation] {
    static RELATIONS: LazyLock<Vec<Relation>> = LazyLock::new(|| {
        let docs = QueryEngine::tables_doc();
        (FIRST..).zip(docs).map(|(oid, doc)| relation(oid, doc)).collect()
    });
    &RELATIONS
}

fn relation(oid: u32, doc: query::TableDoc) -> Relation {
    let columns = (1..).zip(&doc.columns).map(|(number, column)| {
        let field = doc.schema.field_with_name(column.name);
        let kind = field.map_or(Kind::One(Scalar::Text), |field| Kind::of(field.data_type()));
        Attribute { number, name: column.name, doc: column.doc, kind }
    });
    let kind = if doc.is_view { "v" } else { "r" };
    Relation { oid, name: doc.name, doc: doc.doc, kind, columns: columns.collect() }
}
