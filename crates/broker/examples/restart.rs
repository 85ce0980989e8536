//! How long a start takes on a large log.
//!
//! ```text
//! cargo run --release --example restart -- fill DIR GIBIBYTES PARTITIONS   fills a broker, kills it with -9
//! cargo run --release --example restart -- start DIR                       times a start, stops it cleanly
//! ```
//!
//! So the first `start` after `fill` is one after a crash, the second one after a clean stop.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use broker::{Broker, BrokerConfig};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Batches of about 15 kB: many, so that there is much to index.
const RECORDS: usize = 50;
const RECORD_BYTES: usize = 300;
const UNANSWERED_MAX: u64 = 32;

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", dir, gibibytes, partitions] => {
            fill(dir, gibibytes.parse::<u64>()? << 30, partitions.parse()?)
        }
        ["serve", dir] => serve(dir),
        ["start", dir] => start(dir),
        _ => Err("restart fill DIR GIBIBYTES PARTITIONS, or restart start DIR".into()),
    }
}

fn config(dir: &str) -> BrokerConfig {
    let mut config = BrokerConfig::new(dir);
    config.listen.set_port(0);
    config.retention_ms = -1;
    config
}

fn start(dir: &str) -> Outcome<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let began = Instant::now();
        let broker = Broker::start(config(dir)).await?;
        let took = began.elapsed();
        println!("started in {:.3} s on {} bytes of log", took.as_secs_f64(), broker.metrics().log_bytes);
        broker.shutdown().await?;
        Ok(())
    })
}

/// The process that [`fill`] kills.
fn serve(dir: &str) -> Outcome<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let broker = Broker::start(config(dir)).await?;
        println!("{}", broker.local_addr());
        Err(broker.failed().await.into())
    })
}

fn fill(dir: &str, bytes: u64, partitions: i32) -> Outcome<()> {
    let mut process =
        Command::new(std::env::current_exe()?).args(["serve", dir]).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let address = address.trim().parse()?;
    let began = Instant::now();
    let filled = create_topic(address, partitions).and_then(|()| fill_all(address, bytes, partitions));
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    process.kill()?;
    process.wait()?;
    filled
}

fn fill_all(address: SocketAddr, bytes: u64, partitions: i32) -> Outcome<()> {
    let fillers = (0..partitions).map(|partition| {
        std::thread::spawn(move || fill_partition(address, partition, bytes / partitions as u64))
    });
    for filler in fillers.collect::<Vec<_>>() {
        filler.join().map_err(|_| "a filler panicked")??;
    }
    Ok(())
}

fn create_topic(address: SocketAddr, partitions: i32) -> Outcome<()> {
    let topic = CreatableTopic::default()
        .with_name(name())
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let mut stream = TcpStream::connect(address)?;
    let create = CreateTopicsRequest::default().with_topics(vec![topic]);
    stream.write_all(&request(ApiKey::CreateTopics, 5, &create)?)?;
    answer(&mut stream).map(drop)
}

fn fill_partition(address: SocketAddr, partition: i32, bytes: u64) -> Outcome<()> {
    let batch = batch()?;
    let batches = bytes / batch.len() as u64;
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name()).with_partition_data(vec![data]);
    let produce = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
    let produce = request(ApiKey::Produce, 8, &produce)?;
    let mut stream = TcpStream::connect(address)?;
    let mut unanswered = 0;
    for _ in 0..batches {
        stream.write_all(&produce)?;
        unanswered += 1;
        if unanswered == UNANSWERED_MAX {
            check(&mut stream)?;
            unanswered -= 1;
        }
    }
    (0..unanswered).try_for_each(|_| check(&mut stream))
}

fn check(stream: &mut TcpStream) -> Outcome<()> {
    let mut bytes = answer(stream)?;
    ResponseHeader::decode(&mut bytes, ApiKey::Produce.response_header_version(8))?;
    let produced = ProduceResponse::decode(&mut bytes, 8)?;
    match produced.responses[0].partition_responses[0].error_code {
        0 => Ok(()),
        code => Err(format!("refused: {code}").into()),
    }
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("large"))
}

fn request(key: ApiKey, version: i16, body: &impl Encodable) -> Outcome<Bytes> {
    let mut framed = BytesMut::new();
    framed.put_u32(0);
    let header = RequestHeader::default().with_request_api_key(key as i16).with_request_api_version(version);
    header.encode(&mut framed, key.request_header_version(version))?;
    body.encode(&mut framed, version)?;
    let size = (framed.len() - 4) as u32;
    framed[..4].copy_from_slice(&size.to_be_bytes());
    Ok(framed.freeze())
}

fn answer(stream: &mut TcpStream) -> Outcome<Bytes> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer.into())
}

fn batch() -> Outcome<Bytes> {
    let record = |offset: usize| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        timestamp: 1_700_000_000_000,
        sequence: offset as i32, // or each would be a batch of its own
        offset: offset as i64,
        key: None,
        value: Some(Bytes::from(vec![b'x'; RECORD_BYTES])),
        headers: Default::default(),
    };
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, records.iter(), &options)?;
    Ok(bytes.freeze())
}
