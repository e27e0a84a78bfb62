//! Events as futures.
#![cfg(feature = "tokio")]

mod common;

use cofferdam_cgroups::{AsyncWatch, Controllers, Event, Watch, WatchOptions};
use common::SOON;
use std::time::Duration;

#[tokio::test]
async fn events_of_a_cgroup_are_futures() {
    let cgroup = test_cgroup!();
    if cgroup.fd().is_none() {
        absent!("needs cgroup v2");
    }
    let job = cgroup.create("job", Controllers::EMPTY).unwrap();
    let watch = Watch::new(&job, &WatchOptions::new().population().removal()).unwrap();
    let mut watch = AsyncWatch::new(watch).unwrap();
    let idle = tokio::time::timeout(Duration::from_millis(50), watch.next()).await;
    assert!(idle.is_err());
    for _ in 0..20 {
        let sleeper = common::Sleeper::start();
        job.add(sleeper.pid()).unwrap();
        assert_eq!(next(&mut watch).await, Some(Ok(Event::Populated(true))));
        drop(sleeper);
        assert_eq!(next(&mut watch).await, Some(Ok(Event::Populated(false))));
    }
    cgroup.open("job").and_then(|job| job.remove(SOON)).unwrap();
    assert_eq!(next(&mut watch).await, Some(Ok(Event::Removed)));
    assert_eq!(next(&mut watch).await, None);
}

async fn next(watch: &mut AsyncWatch) -> Option<cofferdam_cgroups::Result<Event>> {
    tokio::time::timeout(SOON, watch.next()).await.expect("an event in time")
}
