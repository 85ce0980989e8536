//! What appending costs: CPU-seconds and bytes per million events of realistic width.
//!
//! `cargo run --release -p store --example append -- [rows per append] [appends] [0: do not compact]`

use std::sync::Arc;
use std::time::Instant;

use event::{EventBatch, EventBatchBuilder, EventRow, EventTime, Positions};
use store::{StoreOptions, Table, Tables};
use url::Url;

const TENANTS: u64 = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let rows = arguments.next().transpose()?.unwrap_or(50_000);
    let appends = arguments.next().transpose()?.unwrap_or(20);
    let folder = tempfile::tempdir()?;
    let root = Url::from_directory_path(folder.path()).map_err(|()| "the folder has no absolute path")?;
    let tables = Tables::open(&root, StoreOptions::default()).await?;
    let topic: Arc<str> = Table::Events.topic().into();

    let (mut cpu, mut bytes, mut slowest) = (0.0, 0, 0.0_f64);
    let begun = Instant::now();
    for append in 0..appends {
        // As the topic brings them: batches of a few thousand rows, each of one partner.
        let batches: Vec<EventBatch> = (0..rows.div_ceil(2_500))
            .map(|n| batch((n + append) % TENANTS, append * rows + n * 2_500, 2_500))
            .collect();
        let batches = batches.into_iter().map(EventBatch::into_arrow).collect();
        let mut positions = Positions::default();
        positions.read(&topic, 0, i64::try_from(append)?);
        let (cpu_before, clock) = (cpu_seconds()?, Instant::now());
        bytes += tables.append(Table::Events, batches, &positions).await?.bytes;
        cpu += cpu_seconds()? - cpu_before;
        slowest = slowest.max(clock.elapsed().as_secs_f64());
    }
    let millions = (rows.div_ceil(2_500) * 2_500 * appends) as f64 / 1e6;
    println!("{rows} rows per append, {appends} appends: {:.2} CPU-s per million rows", cpu / millions);
    println!("{:.0} bytes per row, slowest append {slowest:.3} s", bytes as f64 / millions / 1e6);
    println!("whole run {:.1} s, peak memory {}", begun.elapsed().as_secs_f64(), peak_memory()?);

    if arguments.next().transpose()? == Some(0) {
        return Ok(());
    }
    let clock = Instant::now();
    let compacted = tables.compact(Table::Events).await?;
    println!(
        "compaction {compacted:?} in {:.1} s, peak memory {}",
        clock.elapsed().as_secs_f64(),
        peak_memory()?
    );
    Ok(())
}

/// Half of the events are requests, half belong to sessions; ids are as random as real ones.
fn batch(tenant: u64, first: u64, rows: u64) -> EventBatch {
    let mut builder = EventBatchBuilder::default();
    for n in first..first + rows {
        let random = mix(n);
        let time = Some(EventTime(1_773_480_413_589 + n as i64 / 5));
        let session = n % 2 == 0;
        let line = format!(
            "{{\"ts\":\"2026-03-14T09:26:53.589Z\",\"event\":\"session_token.redeemed\",\"user\":\"usr_{}\",\"ip\":\"203.0.{}.{}\",\"path\":\"/v1/sessions/{random:016x}\",\"status\":{},\"request_id\":\"req_{random:016x}\",\"user_agent\":\"Mozilla/5.0 (iPhone; CPU iPhone OS 17_{} like Mac OS X)\"}}",
            random % 50_000,
            random % 7,
            random % 251,
            200 + random % 3,
            random % 6
        );
        builder.append(&EventRow {
            event_id: Some(format!("evt_{random:016x}{:016x}", mix(random)).into()),
            time,
            original_time: Some("2026-03-14T09:26:53.589Z".into()),
            ingest_time: time,
            tenant: Some(format!("prt_{tenant:02}").into()),
            env: Some("production".into()),
            source_format: Some("handshake".into()),
            feed: Some("sessions".into()),
            shipper_id: Some("shp_edge1".into()),
            seq: Some(n as i64),
            kafka_topic: Some(format!("logs.prt_{tenant:02}.sessions").into()),
            kafka_partition: Some((n % 4) as i32),
            kafka_offset: Some((n / 4) as i64),
            kafka_line: Some(0),
            class_uid: Some(if session { 3002 } else { 6003 }),
            activity_id: Some(1),
            type_uid: Some(if session { 300_201 } else { 600_301 }),
            action: Some(if session { "session_token.redeemed" } else { "api.request" }.into()),
            outcome: Some(if random.is_multiple_of(9) { "failure" } else { "success" }.into()),
            severity: Some(1),
            user_ref: session.then(|| format!("usr_{}", random % 50_000).into()),
            api_key_id: (!session).then(|| format!("key_live_{}", random % 40).into()),
            token_fp: session.then(|| format!("hmac256:k3:{random:016x}{:016x}", mix(random + 1)).into()),
            src_ip: Some(format!("203.0.{}.{}", random % 7, random % 251).into()),
            user_agent: Some(
                format!("Mozilla/5.0 (iPhone; CPU iPhone OS 17_{} like Mac OS X)", random % 6).into(),
            ),
            ua_fp: Some(format!("{:016x}", mix(random % 6)).into()),
            method: Some("POST".into()),
            path: Some(format!("/v1/sessions/{random:016x}").into()),
            route: Some("POST /v1/sessions/{id}".into()),
            status: Some(200 + (random % 3) as i32),
            bytes_out: Some((random % 4_000) as i64),
            latency_ms: Some((random % 90) as i32),
            request_id: Some(format!("req_{random:016x}").into()),
            raw_hash: Some([mix(random + 2).to_le_bytes(); 4].concat().try_into().expect("32 bytes")),
            raw: Some(line.into()),
            ..EventRow::default()
        });
    }
    builder.finish()
}

/// A number that looks random and is the same on every run.
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// User and system time of this process, from `/proc`, in ticks of 10 ms.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").ok_or("no process name")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn peak_memory() -> Result<String, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).ok_or("no VmHWM")?;
    Ok(line.trim_start_matches("VmHWM:").trim().to_owned())
}
