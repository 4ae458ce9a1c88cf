/// Why a [`Plan`](crate::Plan) cannot be made or executed. Nothing was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlanProblem {
    /// The topic does not exist.
    UnknownTopic,
    /// The topic has no such partition.
    UnknownPartition,
    /// A named consumer group does not exist.
    UnknownGroup,
    /// A named consumer group has no committed offset in the topic.
    NoCommittedOffset,
    /// No consumer group has a committed offset in the topic.
    NoConsumerGroup,
    /// A consumer group has committed an offset beyond the end of a partition.
    CommittedBeyondEnd,
    /// The service cannot tell the offsets of a time exactly, and
    /// [`trust_timestamps`](crate::PlanDeletion::trust_timestamps) is not set.
    TimeNotExact,
    /// The text is not the JSON of a plan, or of a plan of another version.
    NotAPlan,
    /// The stored plan was edited.
    Edited,
    /// The plan expired.
    Expired,
    /// The stored plan is for another endpoint or project.
    OtherService,
    /// The stored plan is for another instance.
    OtherInstance,
    /// The topic was created again after the plan was made.
    OtherTopic,
    /// The start offset of a partition passed the planned offset.
    StartOffsetPassed,
    /// A consumer group would lose more unread records than the plan shows.
    LossesGrew,
}

impl PlanProblem {
    /// Returns the stable name for logs and scripts, such as `unknown_topic`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTopic => "unknown_topic",
            Self::UnknownPartition => "unknown_partition",
            Self::UnknownGroup => "unknown_group",
            Self::NoCommittedOffset => "no_committed_offset",
            Self::NoConsumerGroup => "no_consumer_group",
            Self::CommittedBeyondEnd => "committed_beyond_end",
            Self::TimeNotExact => "time_not_exact",
            Self::NotAPlan => "not_a_plan",
            Self::Edited => "edited",
            Self::Expired => "expired",
            Self::OtherService => "other_service",
            Self::OtherInstance => "other_instance",
            Self::OtherTopic => "other_topic",
            Self::StartOffsetPassed => "start_offset_passed",
            Self::LossesGrew => "losses_grew",
        }
    }
}
