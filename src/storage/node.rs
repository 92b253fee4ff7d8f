//! The table `node`, and which node collects which order.

use sqlx::FromRow;

use super::column::Row;
use super::{Result, Store, alone};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{Id, kind};

/// A process that collects orders: a name that lasts, and how many times it has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// The name.
    pub id: String,
    /// Which start of it.
    pub epoch: i64,
}

/// A waiting order that a node is to collect.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The login that it belongs to.
    pub login: Id<kind::Login>,
    /// The order.
    pub order: Id<kind::Order>,
    /// When it was taken over from another node, or from an earlier start of this one.
    pub taken_over_at: Option<Timestamp>,
}

impl Store {
    /// Says that a node has started. Whatever an earlier start of it collected is free from now on.
    pub async fn start_node(&self, id: &str, now: Timestamp) -> Result<NodeName> {
        let epoch: i64 = alone!(self, |db| sqlx::query_scalar(
            "INSERT INTO node (id, epoch, heartbeat_at) VALUES ($1, 1, $2)
             ON CONFLICT (id) DO UPDATE
                SET epoch = node.epoch + 1, heartbeat_at = excluded.heartbeat_at
             RETURNING epoch"
        )
        .bind(id)
        .bind(now)
        .fetch_one(db)
        .await)?;
        Ok(NodeName {
            id: id.to_owned(),
            epoch,
        })
    }

    /// Says that a node is alive. `false`: a later start of it has taken its place.
    pub async fn heartbeat(&self, node: &NodeName, now: Timestamp) -> Result<bool> {
        let rows = alone!(self, |db| sqlx::query(
            "UPDATE node SET heartbeat_at = $3 WHERE id = $1 AND epoch = $2"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .bind(now)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Whether another node, or another start of this one, has been heard of since `since`.
    pub async fn has_other_node(&self, node: &NodeName, since: Timestamp) -> Result<bool> {
        let other: Option<i64> = alone!(self, |db| sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM node
              WHERE heartbeat_at > $3 AND (id <> $1 OR epoch <> $2) LIMIT 1"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .bind(since)
        .fetch_optional(db)
        .await)?;
        Ok(other.is_some())
    }

    /// Says that a node has stopped: its orders are free at once.
    pub async fn stop_node(&self, node: &NodeName) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "UPDATE node SET heartbeat_at = 0 WHERE id = $1 AND epoch = $2"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// Takes over the waiting orders of nodes that have not been heard of since `dead_before`, and
    /// says how many those were. Of several nodes one gets each.
    ///
    /// First who is dead, then whose orders: whether a row may be taken must be said by its own
    /// columns. PostgreSQL looks at them again when it had to wait for another node's update, but
    /// not at other tables.
    pub async fn take_over_orders(
        &self,
        node: &NodeName,
        dead_before: Timestamp,
        now: Timestamp,
    ) -> Result<u64> {
        let mut taken = 0;
        for dead in self.dead_nodes(node, dead_before).await? {
            taken += self.take_over_from(&dead, node, now).await?;
        }
        Ok(taken)
    }

    async fn dead_nodes(&self, node: &NodeName, dead_before: Timestamp) -> Result<Vec<NodeName>> {
        let rows: Vec<(String, i64)> = alone!(self, |db| sqlx::query_as(
            "SELECT DISTINCT node_id, node_epoch FROM bankid_order
              WHERE progress = 'ordered'
                AND NOT EXISTS (
                    SELECT 1 FROM node
                     WHERE node.id = bankid_order.node_id
                       AND node.epoch = bankid_order.node_epoch
                       AND (node.heartbeat_at > $1 OR node.id = $2))"
        )
        .bind(dead_before)
        .bind(&node.id)
        .fetch_all(db)
        .await)?;
        Ok(rows
            .into_iter()
            .map(|(id, epoch)| NodeName { id, epoch })
            .collect())
    }

    async fn take_over_from(
        &self,
        dead: &NodeName,
        node: &NodeName,
        now: Timestamp,
    ) -> Result<u64> {
        alone!(self, |db| sqlx::query(
            "UPDATE bankid_order SET node_id = $1, node_epoch = $2, taken_over_at = $3
              WHERE progress = 'ordered' AND node_id = $4 AND node_epoch = $5"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .bind(now)
        .bind(&dead.id)
        .bind(dead.epoch)
        .execute(db)
        .await
        .map(|done| done.rows_affected())
        .map_err(Fault::from))
    }

    /// The waiting orders that are a node's to collect.
    pub async fn orders_of_node(&self, node: &NodeName) -> Result<Vec<Waiting>> {
        #[derive(FromRow)]
        struct WaitingRow {
            id: String,
            login_id: String,
            taken_over_at: Option<Timestamp>,
        }
        let rows: Vec<WaitingRow> = alone!(self, |db| sqlx::query_as(
            "SELECT id, login_id, taken_over_at FROM bankid_order
              WHERE progress = 'ordered' AND node_id = $1 AND node_epoch = $2"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .fetch_all(db)
        .await)?;
        rows.iter()
            .map(|waiting| {
                let row = Row {
                    table: "bankid_order",
                    key: &waiting.id,
                };
                Ok(Waiting {
                    login: row.id("login_id", &waiting.login_id)?,
                    order: row.id("id", &waiting.id)?,
                    taken_over_at: waiting.taken_over_at,
                })
            })
            .collect()
    }
}
