//! Scores every series of a folder in NAB's form (`data/<category>/<name>.csv`) into a folder of
//! results: `cargo run --release -p score --example nab -- NAB RESULTS`.

use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Instant;

use score::score_csv;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(nab), Some(results)) = (arguments.next(), arguments.next()) else {
        return Err("name the folder of the benchmark and one for the results".into());
    };
    let (start, mut rows) = (Instant::now(), 0);
    for category in fs::read_dir(nab.join("data"))? {
        let category = category?;
        let into = results.join(category.file_name());
        fs::create_dir_all(&into)?;
        for series in fs::read_dir(category.path())? {
            let series = series?;
            let scores = BufWriter::new(File::create(into.join(series.file_name()))?);
            rows += score_csv(File::open(series.path())?, scores)?.rows;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{rows} values in {seconds:.2} s, {:.0} a second", rows as f64 / seconds);
    Ok(())
}
