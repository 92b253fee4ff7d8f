//! The table `node`, and which node collects which order.

use sqlx::FromRow;

use super::column::Row;
use super::{Result, Store, on};
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

/// An order that a node takes over.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// The login that it belongs to.
    pub login: Id<kind::Login>,
    /// The order.
    pub order: Id<kind::Order>,
}

impl Store {
    /// Says that a node has started. Whatever an earlier start of it collected is free from now on.
    pub async fn start_node(&self, id: &str, now: Timestamp) -> Result<NodeName> {
        let epoch: i64 = on!(&self.db, |db| sqlx::query_scalar(
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
        let rows = on!(&self.db, |db| sqlx::query(
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

    /// Says that a node has stopped: its orders are free at once.
    pub async fn stop_node(&self, node: &NodeName) -> Result<()> {
        on!(&self.db, |db| sqlx::query(
            "UPDATE node SET heartbeat_at = 0 WHERE id = $1 AND epoch = $2"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// Takes over the waiting orders of nodes that have not been heard of since `dead_before`. Of
    /// several nodes one gets each.
    ///
    /// First who is dead, then whose orders: whether a row may be taken must be said by its own
    /// columns. PostgreSQL looks at them again when it had to wait for another node's update, but
    /// not at other tables.
    pub async fn take_over_orders(
        &self,
        node: &NodeName,
        dead_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<TakenOver>> {
        let mut taken = Vec::new();
        for dead in self.dead_nodes(node, dead_before).await? {
            taken.extend(self.take_over_from(&dead, node, now).await?);
        }
        Ok(taken)
    }

    async fn dead_nodes(&self, node: &NodeName, dead_before: Timestamp) -> Result<Vec<NodeName>> {
        let rows: Vec<(String, i64)> = on!(&self.db, |db| sqlx::query_as(
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
    ) -> Result<Vec<TakenOver>> {
        #[derive(FromRow)]
        struct Taken {
            id: String,
            login_id: String,
        }
        let rows: Vec<Taken> = on!(&self.db, |db| sqlx::query_as(
            "UPDATE bankid_order SET node_id = $1, node_epoch = $2, taken_over_at = $3
              WHERE progress = 'ordered' AND node_id = $4 AND node_epoch = $5
             RETURNING id, login_id"
        )
        .bind(&node.id)
        .bind(node.epoch)
        .bind(now)
        .bind(&dead.id)
        .bind(dead.epoch)
        .fetch_all(db)
        .await)?;
        rows.iter()
            .map(|taken| {
                let row = Row {
                    table: "bankid_order",
                    key: &taken.id,
                };
                Ok(TakenOver {
                    login: row.id("login_id", &taken.login_id)?,
                    order: row.id("id", &taken.id)?,
                })
            })
            .collect()
    }
}
