//! Queues: counters of how many goroutines are queued on each P, and in the shared queue.
//!
//! ```text
//!   events of a P:    a    b c          d, with a look at the queue: so long it was from c to d
//!   the counter:      ─────┘ └──────────┘
//!   steals:                      │       what a thief took in between was there before
//! ```
//!
//! A look comes with an event once in a while (gmp-core's `ground/ring.rs`), so what changes within some ten microseconds
//! is passed over; but a queue never stands still for longer without its length being told.

use super::Writer;

const SHARED: u64 = 6;

fn queue_of_p(p: u32) -> u64 {
    1 << 34 | u64::from(p)
}

impl Writer {
    /// The queues are this long; the P's own was `before` since then.
    pub(super) fn queues_are(
        &mut self,
        time: u64,
        p: u32,
        own: u32,
        shared: u32,
        before: Option<(u64, u32)>,
    ) {
        let track = queue_of_p(p);
        let name = || format!("queue of P{p}");
        let mut stolen = self.queues.stolen.remove(&p).unwrap_or_default();
        if let Some((since, before)) = before {
            stolen.retain(|(at, _)| (since..time).contains(at));
            let mut length =
                i64::from(before) + stolen.iter().map(|(_, amount)| i64::from(*amount)).sum::<i64>();
            self.queue_is(since, track, &name, length);
            for (at, amount) in stolen {
                length -= i64::from(amount);
                self.queue_is(at, track, &name, length);
            }
        }
        self.queue_is(time, track, &name, own.into());
        self.queue_is(time, SHARED, &|| "shared queue".into(), shared.into());
    }

    fn queue_is(&mut self, time: u64, track: u64, name: &dyn Fn() -> String, length: i64) {
        let time = match self.queues.told.get(&track) {
            Some(&(_, last)) if last == length => return,
            Some(&(told, _)) => time.max(told),
            None => time,
        };
        self.queues.told.insert(track, (time, length));
        self.count(time, track, name, length);
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Trace;
    use super::*;
    use crate::step::{Act, Step};
    use prost::Message;
    use std::collections::HashMap;

    /// What the counters say, by name.
    fn counters(writer: &mut Writer) -> Vec<(String, u64, i64)> {
        let packets = Trace::decode(&*writer.flip()).unwrap().packets;
        let tracks = packets.iter().filter_map(|packet| packet.track.clone());
        let names: HashMap<u64, String> =
            tracks.filter_map(|track| Some((track.uuid?, track.name?))).collect();
        let counted = packets.iter().filter_map(|packet| {
            let event = packet.event.as_ref()?;
            Some((names[&event.track?].clone(), packet.time?, event.count?))
        });
        counted.filter(|(name, ..)| name.contains("queue")).collect()
    }

    #[test]
    fn a_queue_was_as_long_as_the_next_look_says() {
        let mut writer = Writer::default();
        let steps = [
            (100, Act::Queues { p: 0, own: 1, shared: 0, before: None }),
            // Many are spawned at once, up to 105; then the spawner computes.
            (250, Act::Steal { p: 1, victim: 0, amount: 30 }),
            (300, Act::Queues { p: 0, own: 69, shared: 4, before: Some((105, 70)) }),
            (310, Act::Queues { p: 0, own: 69, shared: 4, before: Some((300, 69)) }),
        ];
        for (time, act) in steps {
            writer.step(&Step { time, m: 1, act }, &HashMap::new());
        }
        let told = counters(&mut writer);
        let of = |name: &str, time, length| (name.to_owned(), time, length);
        let expected = [
            of("queue of P0", 100, 1),
            of("shared queue", 100, 0),
            of("queue of P0", 105, 100),
            of("queue of P0", 250, 70),
            of("queue of P0", 300, 69),
            of("shared queue", 300, 4),
        ];
        assert_eq!(told, expected);
    }
}
