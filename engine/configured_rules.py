"""The configuration's thresholds as the domain takes them."""

from engine.domain.events import Policy
from engine.domain.rules import DAY_MS, FORGOTTEN_MARGIN_MS, EventRules, Rules, TrackingRules
from engine.domain.tracking import Override
from engine.settings import Events, Settings, SubjectOverride, Trackers


def rules_of(settings: Settings) -> Rules:
    """Return the rules, in ms."""
    return Rules(
        min_session_ms=round(settings.sessions.min_session_s * 1000),
        track_bots=settings.sessions.track_bots,
        channel_creation_ms=round(settings.sessions.channel_creation_s * 1000),
        log_channel_id=settings.discord.log_channel_id,
        events=_event_rules(settings.events),
        opt_out=frozenset(settings.privacy.opt_out),
        tracking=_tracking_rules(settings.trackers),
        retention_ms=settings.privacy.retention_days * DAY_MS,
        forgotten_ms=round(settings.storage.journal_retention_h * 3_600_000) + FORGOTTEN_MARGIN_MS,
    )


def _event_rules(it: Events) -> EventRules:
    return EventRules(
        min_duration_ms=round(it.min_duration_s * 1000),
        min_share=it.min_share,
        match_all=it.role_match == "all",
        policy=Policy(
            count_muted=it.count_muted,
            count_suppressed=it.count_suppressed,
            count_alone=it.count_alone,
            count_afk=it.count_afk,
            count_bridged=it.count_bridged,
            generous=it.slack == "generous",
        ),
        discord_events=it.discord_events,
        distributor=it.badges,
        badge_roles=it.badge_roles,
    )


def _tracking_rules(it: Trackers) -> TrackingRules:
    """Return all but what only the trackers themselves tell: their labels, and whether listeners decide."""
    return TrackingRules(
        mode_all=it.mode == "all",
        combine=it.combine,
        default_timeout_ms=round(it.default_timeout_s * 1000),
        on_expiry=it.on_expiry,
        pause=it.pause,
        ask_within_ms=round(it.ask_within_s * 1000),
        overrides={subject_id: _override(wanted) for subject_id, wanted in it.overrides.items()},
    )


def _override(it: SubjectOverride) -> Override:
    timeout_ms = None if it.timeout_s is None else round(it.timeout_s * 1000)
    return Override(timeout_ms, it.trackers, it.exempt)
