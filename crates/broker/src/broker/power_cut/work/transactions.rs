//! Transactions: records and offsets, committed or aborted, or left open for a while.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, TxnOffsetCommitRequest,
};

use super::super::super::test_client::{By, batch, text, topic_name};
use super::super::promises::{Fate, Sent, TRANSACTION_GROUP, TRANSACTIONAL_ID, Transaction};
use super::{Numbering, Work, well};

impl Work<'_> {
    /// Begins, goes on with, or ends a transaction.
    pub(super) fn transact(&mut self) -> Option<()> {
        if self.transactional.is_none() {
            self.transactional = Some(Numbering::of(self.client.try_take_over(Some(TRANSACTIONAL_ID))?));
        }
        if !self.in_transaction {
            let transaction = Transaction { fate: Fate::Open, values: Vec::new(), offset: None };
            self.promises.transactions.push(transaction);
            self.in_transaction = true;
        }
        for _ in 0..1 + self.dice.below(2) {
            self.write_in_transaction()?;
        }
        if self.dice.once_in(2) {
            self.commit_offset_in_transaction()?;
        }
        if self.dice.once_in(3) { Some(()) } else { self.end_transaction() }
    }

    fn transaction(&mut self) -> &mut Transaction {
        self.promises.transactions.last_mut().unwrap()
    }

    fn write_in_transaction(&mut self) -> Option<()> {
        let (place, values) = (self.place(), self.values());
        let numbering = self.transactional.as_mut()?;
        let producer = numbering.producer;
        let topic =
            AddPartitionsToTxnTopic::default().with_name(topic_name(&place)).with_partitions(vec![place.1]);
        let add = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(text(TRANSACTIONAL_ID).into())
            .with_v3_and_below_producer_id(producer.id.into())
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let added = self.client.ask(3, &add)?;
        let added = &added.results_by_topic_v3_and_below[0].results_by_partition[0];
        well(added.partition_error_code)?;
        let sequence = self.transactional.as_mut()?.take(&place, values.len());
        let batch = batch(By::InTransaction(producer, sequence), &values);
        let noted = values.iter().map(|value| (place.clone(), value.clone()));
        self.transaction().values.extend(noted);
        self.send(&[Sent { place, batch, values }], Some(TRANSACTIONAL_ID), false)
    }

    fn commit_offset_in_transaction(&mut self) -> Option<()> {
        let producer = self.transactional.as_ref()?.producer;
        let add = AddOffsetsToTxnRequest::default()
            .with_transactional_id(text(TRANSACTIONAL_ID).into())
            .with_producer_id(producer.id.into())
            .with_producer_epoch(producer.epoch)
            .with_group_id(text(TRANSACTION_GROUP).into());
        well(self.client.ask(3, &add)?.error_code)?;
        let (place, offset) = match self.transaction().offset.clone() {
            Some((place, _)) => (place, self.promises.next() as i64),
            None => (self.place(), self.promises.next() as i64),
        };
        self.transaction().offset = Some((place.clone(), offset));
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(place.1)
            .with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(&place))
            .with_partitions(vec![partition]);
        let commit = TxnOffsetCommitRequest::default()
            .with_transactional_id(text(TRANSACTIONAL_ID).into())
            .with_group_id(text(TRANSACTION_GROUP).into())
            .with_producer_id(producer.id.into())
            .with_producer_epoch(producer.epoch)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        well(self.client.ask(3, &commit)?.topics[0].partitions[0].error_code)
    }

    fn end_transaction(&mut self) -> Option<()> {
        let producer = self.transactional.as_ref()?.producer;
        let commit = !self.dice.once_in(3);
        self.transaction().fate = Fate::Asked { commit };
        let end = EndTxnRequest::default()
            .with_transactional_id(text(TRANSACTIONAL_ID).into())
            .with_producer_id(producer.id.into())
            .with_producer_epoch(producer.epoch)
            .with_committed(commit);
        well(self.client.ask(3, &end)?.error_code)?;
        self.transaction().fate = Fate::Ended { commit };
        self.in_transaction = false;
        Some(())
    }
}
