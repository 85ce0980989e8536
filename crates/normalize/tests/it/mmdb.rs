//! Writes small databases of addresses, after the MaxMind DB file format 2.0.

use std::net::IpAddr;

/// A value of a record.
pub(crate) enum Value {
    Text(&'static str),
    Number(u32),
    Short(u16),
    Long(u64),
    Degrees(f64),
    True,
    Map(Vec<(&'static str, Value)>),
    /// An array with nothing in it.
    NoList,
}

/// A database of networks, written as address and length of its prefix, and what is known of each.
pub(crate) fn database(kind: &'static str, networks: &[(&str, u8, Value)]) -> Vec<u8> {
    // Each node has two records: another node, a place in the data, or nothing.
    let mut nodes: Vec<[Record; 2]> = vec![[Record::Nothing; 2]];
    let mut data = Vec::new();
    for (address, length, value) in networks {
        let (bits, length) = match address.parse().expect("an address") {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
            IpAddr::V6(v6) => (u128::from(v6), *length),
        };
        let place = data.len();
        write(value, &mut data);
        let mut node = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                nodes[node][side] = Record::Data(place);
            } else if let Record::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Record::Nothing; 2]);
                nodes[node][side] = Record::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
    }
    let count = nodes.len();
    let number = |record: &Record| match record {
        Record::Nothing => count,
        Record::Node(node) => *node,
        Record::Data(place) => count + 16 + place,
    };
    let mut file: Vec<u8> =
        nodes.iter().flatten().flat_map(|record| (number(record) as u32).to_be_bytes()).collect();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = [
        ("node_count", Value::Number(count as u32)),
        ("record_size", Value::Short(32)),
        ("ip_version", Value::Short(6)),
        ("database_type", Value::Text(kind)),
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        // 2026-03-01
        ("build_epoch", Value::Long(1_772_323_200)),
        ("description", Value::Map(Vec::new())),
        ("languages", Value::NoList),
    ];
    write(&Value::Map(metadata.into_iter().collect()), &mut file);
    file
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

fn write(value: &Value, out: &mut Vec<u8>) {
    let control = |kind: u8, size: usize, out: &mut Vec<u8>| {
        // Sizes from 29 on have a byte of their own.
        match u8::try_from(size) {
            Ok(size @ 0..=28) => out.push(kind << 5 | size),
            Ok(size) => out.extend([kind << 5 | 29, size - 29]),
            Err(_) => panic!("nothing here is that long"),
        }
    };
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Number(number) => {
            control(6, 4, out);
            out.extend(number.to_be_bytes());
        }
        Value::Short(number) => {
            control(5, 2, out);
            out.extend(number.to_be_bytes());
        }
        // Types from 8 on have a byte of their own.
        Value::Long(number) => {
            out.extend([8, 2]);
            out.extend(number.to_be_bytes());
        }
        Value::Degrees(number) => {
            control(3, 8, out);
            out.extend(number.to_be_bytes());
        }
        Value::True => out.extend([1, 7]),
        Value::NoList => out.extend([0, 4]),
        Value::Map(members) => {
            control(7, members.len(), out);
            for (name, value) in members {
                write(&Value::Text(name), out);
                write(value, out);
            }
        }
    }
}
