use sqlx::sqlite::SqliteConnectOptions;

use super::*;

#[tokio::test]
async fn one_that_comes_back_serves_whoever_waits_for_a_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(60));
    // None is made while somebody has the lock.
    let greeting = Some(Greeting {
        needed: "BEGIN EXCLUSIVE; COMMIT",
        wished: None,
    });
    let patience = Duration::from_secs(30);
    let pool = Pool::<Sqlite>::connect(options.clone(), 2, patience, greeting).await;
    let pool = pool.expect("connected");
    let first = pool.acquire().await.expect("lent");
    let mut lock = options.connect().await.expect("connected");
    let locked = Sqlite::run(&mut lock, "BEGIN EXCLUSIVE").await;
    locked.expect("nobody else has it");
    let mut second = Box::pin(pool.acquire());
    let waited = timeout(Duration::from_millis(50), &mut second).await;
    assert!(waited.is_err(), "there is none yet");
    drop(first);
    let second = second.await.expect("lent");
    // The other one is for the next.
    Sqlite::run(&mut lock, "COMMIT").await.expect("unlocked");
    let third = pool.acquire().await.expect("lent");
    assert_eq!(pool.connections().in_use, 2);
    assert_eq!(pool.shared.room.count.load(Ordering::Acquire), 2);
    drop((second, third));
    assert_eq!(pool.connections().idle, 2);
}

#[tokio::test]
async fn what_a_database_need_not_take_is_done_without() {
    let refused = "SELECT nothing_that_there_is";
    let lent = async |needed, wished| {
        let patience = Duration::from_secs(30);
        let greeting = Some(Greeting { needed, wished });
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = Pool::<Sqlite>::connect(options, 1, patience, greeting).await?;
        pool.acquire().await.map(drop)
    };
    let done = lent("SELECT 1", Some(refused)).await;
    done.expect("without it");
    assert!(lent(refused, None).await.is_err());
}

#[tokio::test]
async fn what_goes_on_elsewhere_is_timed_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(60));
    let pool = Pool::<Sqlite>::connect(options.clone(), 2, Duration::from_secs(30), None).await;
    let pool = pool.expect("connected");
    let limit = Duration::from_secs(30);
    pool.give_up_after(Limits {
        people: limit,
        beside: limit,
    });
    let mut lock = options.connect().await.expect("connected");
    let locked = Sqlite::run(&mut lock, "BEGIN EXCLUSIVE").await;
    locked.expect("nobody else has it");
    let write = async { pool.execute("CREATE TABLE a (b TEXT)").await };
    let mut write = Box::pin(write);
    // A thread of the web server begins, and ends before there is an answer.
    std::thread::scope(|threads| {
        let begun = threads.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            let waited = runtime
                .block_on(async { timeout(Duration::from_millis(50), write.as_mut()).await });
            assert!(waited.is_err(), "somebody else has the lock");
        });
        begun.join().expect("no panic");
    });
    Sqlite::run(&mut lock, "COMMIT").await.expect("unlocked");
    write.await.expect("done");
}

#[tokio::test]
async fn whoever_is_patient_is_so_for_a_while() {
    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);
    let directory = tempfile::tempdir().expect("a directory");
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(60));
    let limited = async |people, beside| {
        let pool = Pool::<Sqlite>::connect(options.clone(), 2, LONG, None).await;
        let pool = pool.expect("connected");
        pool.give_up_after(Limits { people, beside });
        pool
    };
    let hurried = limited(SHORT, LONG).await;
    let unserved = limited(LONG, SHORT).await;
    let mut lock = options.connect().await.expect("connected");
    let locked = Sqlite::run(&mut lock, "BEGIN EXCLUSIVE").await;
    locked.expect("nobody else has it");
    let write =
        async |pool: Pool<Sqlite>| pool.execute("CREATE TABLE IF NOT EXISTS a (b TEXT)").await;
    for pool in [hurried.clone(), unserved.patient()] {
        assert!(is_silence(&write(pool).await.expect_err("it is given up")));
    }
    let mut patient = Box::pin(write(hurried.patient()));
    assert!(timeout(SHORT * 4, &mut patient).await.is_err());
    Sqlite::run(&mut lock, "COMMIT").await.expect("unlocked");
    patient.await.expect("done");
}

#[tokio::test]
async fn the_end_waits_for_what_is_in_use_and_not_for_ever() {
    const PATIENCE: Duration = Duration::from_millis(400);
    let options = SqliteConnectOptions::new().in_memory(true);
    let pool = Pool::<Sqlite>::connect(options, 2, PATIENCE, None).await;
    let pool = pool.expect("connected");
    let (late, never) = (pool.acquire().await, pool.acquire().await);
    let (late, never) = (late.expect("lent"), never.expect("lent"));
    let back = tokio::spawn(async move {
        sleep(PATIENCE / 2).await;
        drop(late);
    });
    pool.close_within(PATIENCE).await;
    back.await.expect("it came back");
    assert_eq!(
        pool.shared.room.count.load(Ordering::Acquire),
        1,
        "the one that came back ended"
    );
    assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolClosed)));
    drop(never);
    assert_eq!(pool.shared.room.count.load(Ordering::Acquire), 0);
}
