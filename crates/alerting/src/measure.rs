#[tokio::test]
async fn measure() {
    use crate::testing::*;
    let dir = tempfile::tempdir().unwrap();
    let control = crate::Control::open(&dir.path().join("c.db")).await.unwrap();
    control
        .set_destinations(&[webhook("http://127.0.0.1:9/"), pagerduty("http://127.0.0.1:9/")])
        .await
        .unwrap();
    for batch in [1usize, 10, 100] {
        let t = std::time::Instant::now();
        let n = 1000 / batch.min(10);
        for i in 0..n {
            let c: Vec<_> =
                (0..batch).map(|j| created(&alert("prt_acme", &format!("{batch}_{i}_{j}")))).collect();
            control.apply(&c, &event::Positions::default(), start()).await.unwrap();
        }
        eprintln!(
            "batch {batch}: {:?}/apply {:.0} alerts/s",
            t.elapsed() / n as u32,
            (n * batch) as f64 / t.elapsed().as_secs_f64()
        );
    }
    let t = std::time::Instant::now();
    let p = control
        .alerts(&crate::AlertFilter::new(event::Scope::All), &crate::PageRequest::default())
        .await
        .unwrap();
    eprintln!("list {} {:?}", p.alerts.len(), t.elapsed());
    let t = std::time::Instant::now();
    eprintln!("due {:?} {:?}", control.due("pd", start(), 8).await.unwrap().len(), t.elapsed());
    let t = std::time::Instant::now();
    eprintln!("next_due {:?} {:?}", control.next_due("pd").await.unwrap(), t.elapsed());
    let t = std::time::Instant::now();
    eprintln!("stats {:?} {:?}", control.outbox_stats().await.unwrap()[0].pending, t.elapsed());
    let tok = control.ensure_admin_token().await.unwrap().unwrap();
    use secrecy::ExposeSecret;
    let t = std::time::Instant::now();
    for _ in 0..10000 {
        control.verify_token(tok.expose_secret()).await.unwrap().unwrap();
    }
    eprintln!("verify {:?}", t.elapsed() / 10000);
    eprintln!("size {}", std::fs::metadata(dir.path().join("c.db")).unwrap().len());
}
