//! Statistics of several shards as one.

use std::collections::BTreeMap;

use super::answer::{StatsAnswer, StatsBucket, StatsCount};

/// Adds up what the shards counted. A session lives in one shard of a layout, so distinct sessions add up too; one that
/// went on after the number of shards was changed counts in each layout.
pub fn merge_stats(answers: impl Iterator<Item = StatsAnswer>) -> StatsAnswer {
    let mut total = StatsCount::default();
    let mut buckets: BTreeMap<(Option<String>, Option<String>), StatsCount> = BTreeMap::new();
    for answer in answers {
        add(&mut total, &answer.total);
        for StatsBucket { time, group, count } in answer.buckets {
            add(buckets.entry((time, group)).or_default(), &count);
        }
    }
    let buckets = buckets.into_iter().map(|((time, group), count)| StatsBucket { time, group, count }).collect();
    StatsAnswer { total, buckets }
}

fn add(sum: &mut StatsCount, more: &StatsCount) {
    sum.requests += more.requests;
    sum.sessions += more.sessions;
    sum.attacks += more.attacks;
}
