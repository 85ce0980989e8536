//! How each table lies on disk: what it is sorted by, which columns prune, which compress how.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::Table;

/// Rows in a row group: small enough to prune within a file, large enough to compress.
const ROW_GROUP_ROWS: usize = 131_072;
/// Bytes in a row group before it is written out: the bound of what encoding holds in memory.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// The column that says when a row happened.
pub(crate) const fn time_column(table: Table) -> &'static str {
    match table {
        Table::Events | Table::Rejects => "time",
        Table::AlertChanges => "triggered_at",
    }
}

/// The column that says when our broker had it, where there is one besides.
pub(crate) const fn ingest_column(table: Table) -> Option<&'static str> {
    match table {
        Table::Events => Some("ingest_time"),
        Table::AlertChanges => Some("ingested_at"),
        Table::Rejects => None,
    }
}

/// Columns with minimum, maximum and null count in the Delta log, so that whole files are skipped.
/// Few, because every commit and checkpoint carries them.
pub(crate) const fn stats_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &[
            "tenant",
            "time",
            "ingest_time",
            "env",
            "feed",
            "kafka_topic",
            "kafka_partition",
            "kafka_offset",
            "action",
            "outcome",
            "user_ref",
            "api_key_id",
            "src_ip",
            "status",
        ],
        Table::AlertChanges => &[
            "tenant",
            "triggered_at",
            "first_seen",
            "last_seen",
            "alert_id",
            "detector",
            "class",
            "severity_id",
            "entity",
            "episode_open",
        ],
        Table::Rejects => {
            &["tenant", "time", "feed", "kafka_topic", "kafka_partition", "kafka_offset", "reason"]
        }
    }
}

/// Text that hardly repeats: a dictionary of it is memory and time for nothing.
const fn unique_texts(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &[
            "event_id",
            "source_event_id",
            "original_time",
            "request_id",
            "trace_id",
            "message",
            "raw_hash",
            "raw",
            "unmapped",
        ],
        Table::AlertChanges => &[],
        Table::Rejects => &["reject_id", "detail", "excerpt", "raw_hash"],
    }
}

/// Numbers that mostly grow: their differences are small.
const fn rising_numbers(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &["time", "logged_time", "transmit_time", "ingest_time", "seq", "kafka_offset"],
        Table::AlertChanges => &["triggered_at", "ingested_at", "first_seen", "last_seen"],
        Table::Rejects => &["time", "kafka_offset"],
    }
}

/// Text that nobody compares, so no minimum and maximum of it is kept.
const fn opaque_texts(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &["message", "raw", "unmapped", "raw_hash", "original_time"],
        Table::AlertChanges => {
            &["title", "description", "parameters", "details", "techniques", "evidence", "query_sql"]
        }
        Table::Rejects => &["detail", "excerpt", "raw_hash"],
    }
}

/// What analysts look one thing up by; compaction gives these Bloom filters.
const fn lookup_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => {
            &["event_id", "user_ref", "api_key_id", "api_key_fp", "token_fp", "session_id", "src_ip"]
        }
        Table::AlertChanges => &["alert_id", "entity"],
        Table::Rejects => &["reject_id"],
    }
}

/// Whether a file is a fresh, small one or the result of a compaction, read for months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    Compacted,
}

/// Parquet settings of a table's files.
pub(crate) fn writer_properties(table: Table, age: Age) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("zstd has a level 1");
    let path = |name: &&str| ColumnPath::from(*name);
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("watchfire ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_dictionary_page_size_limit(256 * 1024)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(sorting_columns(table)));
    for column in unique_texts(table) {
        properties = properties.set_column_dictionary_enabled(path(column), false);
    }
    for column in rising_numbers(table) {
        properties = properties
            .set_column_dictionary_enabled(path(column), false)
            .set_column_encoding(path(column), Encoding::DELTA_BINARY_PACKED);
    }
    for column in ["tenant", time_column(table)] {
        properties = properties.set_column_statistics_enabled(path(&column), EnabledStatistics::Page);
    }
    for column in opaque_texts(table) {
        properties = properties.set_column_statistics_enabled(path(column), EnabledStatistics::None);
    }
    if age == Age::Compacted {
        for column in lookup_columns(table) {
            properties = properties.set_column_bloom_filter_enabled(path(column), true);
        }
    }
    properties.build()
}

fn sorting_columns(table: Table) -> Vec<SortingColumn> {
    let schema = table.schema();
    // Before every leaf stands one leaf per column: a list of text has exactly one.
    let leaf = |name: &str| schema.index_of(name).expect("layout names columns of the schema") as i32;
    ["tenant", time_column(table)]
        .map(|name| SortingColumn { column_idx: leaf(name), descending: false, nulls_first: true })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_names_only_columns_that_exist() {
        for table in Table::ALL {
            let schema = table.schema();
            let named = [
                stats_columns(table),
                unique_texts(table),
                rising_numbers(table),
                opaque_texts(table),
                lookup_columns(table),
            ];
            for column in named.concat().into_iter().chain([time_column(table)]).chain(ingest_column(table)) {
                assert!(schema.field_with_name(column).is_ok(), "{table}.{column}");
            }
        }
    }
}
