//! What every consumer must do as a member of a group.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::steps::{MANY, assigned, consumer, offsets, position, read, settings, topic, values};
use crate::model::{Position, Subscription};
use crate::port::{Broker, BrokerError, ClientSettings, Consumer, ConsumerPolled as Polled};

/// A group goes on at its committed offsets; a new one where its settings say.
pub async fn committed_offsets_are_where_the_group_goes_on(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("resumed", 1, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    offsets(&mut producer, values("resumed", None, &["a", "b", "c"])).await;
    let mut first = consumer(&broker, "resuming", &["resumed"]).await;
    assert_eq!(read(&mut first, 3).await.len(), 3);
    first.commit(&[position("resumed", 0, 2)]).await.unwrap();
    assert_eq!(broker.group_offsets("resuming").await.unwrap(), [position("resumed", 0, 2)]);
    assert_eq!(broker.group_offsets("another").await.unwrap(), []);
    first.close().await.unwrap();
    let mut second = consumer(&broker, "resuming", &["resumed"]).await;
    assert_eq!(assigned(&mut second).await, [position("resumed", 0, 2)]);
    assert_eq!(read(&mut second, 1).await, [(0, 2, None, Some("c".into()))]);
    let latest =
        ClientSettings::from([("group.id".into(), "late".into()), ("auto.offset.reset".into(), "latest".into())]);
    let mut late = broker.consumer(&Subscription::Topics(vec!["resumed".into()]), &latest).await.unwrap();
    assert_eq!(assigned(&mut late).await, [position("resumed", 0, 3)]);
}

/// Committed offsets can be set and forgotten, alone and all together, and not while somebody reads.
pub async fn committed_offsets_are_altered_while_nobody_reads(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("altered", 2, &[])).await.unwrap();
    let mut producer = broker.producer(&ClientSettings::new()).await.unwrap();
    offsets(&mut producer, values("altered", Some(0), &["a", "b", "c"])).await;
    let of = |partition, offset| (position("altered", partition, 0).partition, offset);
    let mut member = consumer(&broker, "altering", &["altered"]).await;
    read(&mut member, 3).await;
    member.commit(&[position("altered", 0, 3)]).await.unwrap();
    for offset in [Some(1), None] {
        let refused = broker.alter_group_offsets("altering", &[of(0, offset)]).await;
        assert!(matches!(refused, Err(BrokerError::Fenced(_))), "{offset:?}: {refused:?}");
    }
    let refused = broker.delete_group("altering").await;
    assert!(matches!(refused, Err(BrokerError::Fenced(_))), "{refused:?}");
    member.close().await.unwrap();
    drop(member);
    broker.alter_group_offsets("altering", &[of(0, Some(1)), of(1, Some(0))]).await.unwrap();
    let both = [position("altered", 0, 1), position("altered", 1, 0)];
    assert_eq!(broker.group_offsets("altering").await.unwrap(), both);
    broker.alter_group_offsets("altering", &[of(1, None), of(0, Some(2))]).await.unwrap();
    assert_eq!(broker.group_offsets("altering").await.unwrap(), [position("altered", 0, 2)]);
    let mut member = consumer(&broker, "altering", &["altered"]).await;
    assert_eq!(read(&mut member, 1).await, [(0, 2, None, Some("c".into()))]);
    member.close().await.unwrap();
    drop(member);
    let missing = [(position("not there", 0, 0).partition, Some(1))];
    assert!(broker.alter_group_offsets("altering", &missing).await.is_err());
    for _ in 0..2 {
        broker.delete_group("altering").await.unwrap();
        assert_eq!(broker.group_offsets("altering").await.unwrap(), []);
    }
    broker.alter_group_offsets("fresh", &[of(0, Some(2)), of(1, None)]).await.unwrap();
    assert_eq!(broker.group_offsets("fresh").await.unwrap(), [position("altered", 0, 2)]);
}

/// A newcomer gets its share once the owner let go, not before.
pub async fn a_newcomer_gets_its_share_after_the_owner_let_go(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("shared", 4, &[])).await.unwrap();
    let mut first = consumer(&broker, "sharing", &["shared"]).await;
    assert_eq!(assigned(&mut first).await.len(), 4);
    let mut second = consumer(&broker, "sharing", &["shared"]).await;
    let Polled::Revoked(revoked) = poll_both(&mut first, &mut second).await else { panic!("revoked expected") };
    assert_eq!(revoked.len(), 2);
    first.commit(&[Position { partition: revoked[0].clone(), offset: 0 }]).await.unwrap();
    first.release().await.unwrap();
    let refused = first.commit(&[Position { partition: revoked[0].clone(), offset: 0 }]).await;
    assert!(matches!(refused, Err(BrokerError::Fenced(_))), "{refused:?}");
    let taken: BTreeSet<_> = assigned(&mut second).await.into_iter().map(|position| position.partition).collect();
    assert_eq!(taken, revoked.into_iter().collect());
    second.close().await.unwrap();
    assert_eq!(assigned(&mut first).await.len(), 2);
}

/// Polls two members until the first is told something; the second has nothing to hear before.
async fn poll_both(first: &mut Box<dyn Consumer>, second: &mut Box<dyn Consumer>) -> Polled {
    for _ in 0..1000 {
        assert_eq!(second.poll(Duration::ZERO, MANY).await, Ok(Polled::Nothing));
        match first.poll(Duration::from_millis(10), MANY).await.unwrap() {
            Polled::Nothing => {}
            told => return told,
        }
    }
    panic!("the first was told nothing");
}

/// Patterns match whole names, also of topics made later.
pub async fn patterns_match_whole_names_and_topics_made_later(broker: Arc<dyn Broker>) {
    broker.create_topic(&topic("eu.orders", 1, &[])).await.unwrap();
    broker.create_topic(&topic("eu.orders.old", 1, &[])).await.unwrap();
    let pattern = Subscription::Pattern("(eu|us)\\.orders".into());
    let mut often = settings("matching");
    often.insert("metadata.max.age.ms".into(), "500".into());
    let mut reader = broker.consumer(&pattern, &often).await.unwrap();
    assert_eq!(assigned(&mut reader).await, [position("eu.orders", 0, 0)]);
    broker.create_topic(&topic("us.orders", 1, &[])).await.unwrap();
    assert_eq!(assigned(&mut reader).await, [position("us.orders", 0, 0)]);
    let broken = broker.consumer(&Subscription::Pattern("(".into()), &settings("matching")).await;
    assert!(matches!(broken, Err(BrokerError::Rejected(_))));
    let nameless = broker.consumer(&pattern, &ClientSettings::new()).await;
    assert!(matches!(nameless, Err(BrokerError::Rejected(_))));
}
