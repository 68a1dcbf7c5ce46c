//! What every coordinator of worker groups must do. Each function takes what makes a coordinator of a group that nobody
//! else uses, for one member with the session time-out [`SESSION`].

use std::sync::Arc;
use std::time::Duration;

use crate::port::{Coordinator, Joined, MemberId, Refused};

/// The session time-out of members: the least that Kafka allows by default.
pub const SESSION: Duration = Duration::from_secs(6);
/// How long members wait before they ask again.
const AGAIN: Duration = Duration::from_millis(100);

type Shared = Arc<dyn Coordinator>;

fn offer(names: &[&str], says: &str) -> Vec<(String, Vec<u8>)> {
    names.iter().map(|name| ((*name).to_owned(), format!("{name}:{says}").into_bytes())).collect()
}

fn id(joined: &Joined) -> MemberId {
    MemberId { member: joined.member.clone(), generation: joined.generation }
}

/// A coordinator that was found; one that is loading is asked again.
async fn found(coordinator: Shared) -> Shared {
    let soon = tokio::time::timeout(Duration::from_secs(30), async {
        while let Err(refused) = coordinator.find().await {
            assert!(matches!(refused, Refused::Loading | Refused::NoCoordinator), "{refused:?}");
            tokio::time::sleep(AGAIN).await;
        }
    });
    soon.await.expect("a coordinator in time");
    coordinator
}

/// Joins, under the id that it is told to take.
async fn join(coordinator: &Shared, member: &str, protocols: &[(String, Vec<u8>)]) -> Result<Joined, Refused> {
    let mut member = member.to_owned();
    loop {
        match coordinator.join(&member, protocols).await {
            Err(Refused::IdRequired(id)) => member = id,
            Err(Refused::Loading | Refused::NoCoordinator) => {
                tokio::time::sleep(AGAIN).await;
                _ = coordinator.find().await;
            }
            answer => return answer,
        }
    }
}

/// Both in one generation: the leader and the follower.
async fn both(a: &Shared, b: &Shared) -> [(Shared, Joined); 2] {
    let first = join(a, "", &offer(&["sessioned", "compatible"], "a")).await.unwrap();
    a.sync(&id(&first), &[(first.member.clone(), b"alone".to_vec())]).await.unwrap();
    let (rejoined, joined) = tokio::join!(
        async {
            while a.heartbeat(&id(&first)).await != Err(Refused::Rebalancing) {
                tokio::time::sleep(AGAIN).await;
            }
            join(a, &first.member, &offer(&["sessioned", "compatible"], "a")).await.unwrap()
        },
        async { join(b, "", &offer(&["compatible", "default"], "b")).await.unwrap() },
    );
    assert_eq!(rejoined.member, first.member);
    assert_eq!((rejoined.generation, &rejoined.leader), (joined.generation, &joined.leader));
    assert!(rejoined.generation > first.generation);
    let mut both = [(a.clone(), rejoined), (b.clone(), joined)];
    both.sort_by_key(|(_, joined)| joined.leader != joined.member);
    both
}

/// One member leads itself, gets what it decided, and beats.
pub async fn a_member_alone_leads_itself(make: impl Fn() -> Shared) {
    let a = found(make()).await;
    let joined = join(&a, "", &offer(&["sessioned", "compatible"], "a")).await.unwrap();
    assert_eq!((&joined.leader, joined.protocol.as_str()), (&joined.member, "sessioned"));
    assert_eq!(joined.members, [(joined.member.clone(), b"sessioned:a".to_vec())]);
    let assigned = a.sync(&id(&joined), &[(joined.member.clone(), b"all".to_vec())]).await;
    assert_eq!(assigned, Ok(b"all".to_vec()));
    assert_eq!(a.heartbeat(&id(&joined)).await, Ok(()));
}

/// Two members agree on a sub-protocol that both know; the leader hears of both and each gets its own assignment.
pub async fn two_members_agree_and_each_gets_its_own(make: impl Fn() -> Shared) {
    let (a, b) = (found(make()).await, found(make()).await);
    let [(leader, lead), (follower, follow)] = both(&a, &b).await;
    assert_eq!((lead.protocol.as_str(), follow.protocol.as_str()), ("compatible", "compatible"));
    assert_eq!(follow.members, []);
    let mut said: Vec<Vec<u8>> = lead.members.iter().map(|(_, says)| says.clone()).collect();
    said.sort();
    assert_eq!(said, [b"compatible:a".to_vec(), b"compatible:b".to_vec()]);
    let decided = [(lead.member.clone(), b"one".to_vec()), (follow.member.clone(), b"two".to_vec())];
    let (leads, (lead_id, follow_id)) = (decided, (id(&lead), id(&follow)));
    let (theirs, own) = tokio::join!(follower.sync(&follow_id, &[]), async {
        // A beat does not stand behind the sync that waits for the leader.
        let beaten = tokio::time::timeout(SESSION, follower.heartbeat(&follow_id)).await;
        assert_eq!(beaten, Ok(Ok(())));
        leader.sync(&lead_id, &leads).await
    });
    assert_eq!((own, theirs), (Ok(b"one".to_vec()), Ok(b"two".to_vec())));
    assert_eq!(follower.heartbeat(&follow_id).await, Ok(()));
}

/// A member that leaves, and one that says nothing for its session time-out, are missed by the others, and nobody who is
/// not in the generation is answered as if.
pub async fn who_leaves_or_is_silent_is_put_out(make: impl Fn() -> Shared) {
    let (a, b) = (found(make()).await, found(make()).await);
    let [(leader, lead), (follower, follow)] = both(&a, &b).await;
    let nothing = [(lead.member.clone(), vec![]), (follow.member.clone(), vec![])];
    let (lead_id, follow_id) = (id(&lead), id(&follow));
    let (own, theirs) = tokio::join!(leader.sync(&lead_id, &nothing), follower.sync(&follow_id, &[]));
    assert_eq!((own, theirs), (Ok(vec![]), Ok(vec![])));
    let old = MemberId { generation: follow_id.generation - 1, ..follow_id.clone() };
    assert_eq!(follower.heartbeat(&old).await, Err(Refused::Expelled));
    let stranger = MemberId { member: "nobody".into(), ..follow_id.clone() };
    assert_eq!(follower.heartbeat(&stranger).await, Err(Refused::Expelled));
    assert_eq!(follower.sync(&stranger, &[]).await, Err(Refused::Expelled));
    // The follower says nothing any more.
    let since = tokio::time::Instant::now();
    while leader.heartbeat(&lead_id).await != Err(Refused::Rebalancing) {
        assert!(since.elapsed() < 3 * SESSION, "a silent member is put out");
        tokio::time::sleep(AGAIN).await;
    }
    assert!(since.elapsed() >= SESSION / 2, "not before its time");
    let alone = join(&leader, &lead.member, &offer(&["sessioned", "compatible"], "left")).await.unwrap();
    assert_eq!((alone.members.len(), alone.protocol.as_str()), (1, "sessioned"));
    assert_eq!(follower.heartbeat(&follow_id).await, Err(Refused::Expelled));
    assert_eq!(join(&follower, &follow.member, &offer(&["compatible"], "b")).await, Err(Refused::Expelled));
    leader.sync(&id(&alone), &[(alone.member.clone(), vec![])]).await.unwrap();
    leader.leave(&alone.member).await;
    assert_eq!(leader.heartbeat(&id(&alone)).await, Err(Refused::Expelled));
}

/// A member that knows none of the others' sub-protocols is turned away for good, and a dropped join hinders nobody.
pub async fn strangers_are_turned_away_and_dropped_joins_forgotten(make: impl Fn() -> Shared) {
    let (a, b) = (found(make()).await, found(make()).await);
    let first = join(&a, "", &offer(&["sessioned"], "a")).await.unwrap();
    a.sync(&id(&first), &[(first.member.clone(), vec![])]).await.unwrap();
    let refused = join(&b, "", &offer(&["default"], "b")).await;
    assert!(matches!(&refused, Err(Refused::Fatal(why)) if why.contains("protocol")), "{refused:?}");
    // A second member begins to join and is dropped while the first does not answer the round.
    let offered = offer(&["sessioned"], "b");
    let waiting = tokio::time::timeout(Duration::from_millis(500), join(&b, "", &offered)).await;
    assert!(waiting.is_err(), "it waits for the first: {waiting:?}");
    let again = join(&a, &first.member, &offer(&["sessioned"], "a")).await.unwrap();
    assert!(again.generation > first.generation);
    let asked = b.join("", &offered).await;
    assert!(matches!(asked, Err(Refused::IdRequired(_))), "what was dropped is not in the way: {asked:?}");
}
