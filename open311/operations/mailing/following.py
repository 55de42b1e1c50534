"""What people do on the page to which their mails link, such as agree, leave, answer, or open a request again.

Whoever has the link counts as the owner of the address. A GET of the page changes nothing, because programs that
look for harmful mails open all links.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.access import REPORTER
from open311.domain.commands import Reopen
from open311.domain.events import FeedbackGiven
from open311.domain.mails import Feedback, Follower, MailKind, Stop, follower_of_link
from open311.domain.questions import feedback_since_closing
from open311.domain.requests import RequestRecord, Status
from open311.domain.supporters import Supporter, SupporterKind
from open311.errors import Conflict, NotFound
from open311.operations.mailing.composing import reopens_until, service_name
from open311.operations.mailing.filters import in_words
from open311.operations.mailing.queueing import MailDesk, invite
from open311.operations.mailing.rules import mailbox_of, mails_followers
from open311.operations.mailing.stopping import stop_mail
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow import effects
from open311.operations.workflow.act import act_within
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.supporting import give, locked_target, withdraw
from open311.plugins import Jurisdiction
from open311.storage import feedback, followers, history, mails, requests, subscriptions, supporters
from open311.storage.engine import Connection, undeadlocked
from schemas.texts import tell

MOST_ANSWERS = 5
"""How often a reporter can answer after one closing. Each answer is an event that stays in the history."""
NOT_SOLVED = "The reporter says that the problem is not solved."


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What the page of a follower shows. It has no email address, because people forward mails with their links.

    service        the name of the service in the follower's language
    is_shown       whether the public can read the request
    answer         what the reporter has said after the last closing; "" for nothing
    can_answer     whether the page asks the reporter if the problem is solved
    is_supporter   whether the person has said "me too"
    can_support    whether the person can say "me too": not the reporter, and only while the request is open and the
                   public can read it
    reopens_until  until when the reporter can open the request again; None if that is not possible now
    """

    service_request_id: str
    service: str
    is_confirmed: bool
    is_reporter: bool
    is_open: bool
    is_shown: bool
    answer: str
    can_answer: bool
    is_supporter: bool
    can_support: bool
    reopens_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowingFilter:
    """What the page shows to somebody who follows the requests of a filter.

    filter   the filter in words, in the reader's language
    ends_at  when the mail ends if the reader does not prolong it; None before the reader has agreed
    """

    filter: str
    is_confirmed: bool
    is_daily: bool
    ends_at: datetime | None


def read_following(
    platform: Platform, city: Jurisdiction, token: str, *, language: str, now: datetime
) -> Following | FollowingFilter | None:
    """What the page shows; None if the follower has left. Raises NotFound for a link that was not made here."""
    with platform.database.snapshot() as connection:
        one = _follower(connection, city, token)
        if one is not None and not one.number:
            return _following_filter(connection, city, one, language)
        record = requests.load_record(connection, city.id, number=one.number, is_locked=False) if one else None
        if one is None or record is None:
            return None
        answers = feedback_since_closing(history.load_events(connection, city.id, one.number))
        until = reopens_until(city, record) if one.is_reporter else None
        is_shown = record.visibility.is_shown and bool(record.service_request_id)
        return Following(
            service_request_id=record.service_request_id,
            service=service_name(city, names_for(connection, city), record.service_code, language),
            is_confirmed=one.confirmed_at is not None,
            is_reporter=one.is_reporter,
            is_open=record.status is Status.OPEN,
            is_shown=is_shown,
            answer=answers[-1] if answers else "",
            can_answer=_can_answer(city, one, record),
            is_supporter=_supports(connection, one, record),
            can_support=is_shown and record.status is Status.OPEN and not one.is_reporter,
            reopens_until=until if until and now < until else None,
        )


def _following_filter(
    connection: Connection, city: Jurisdiction, one: Follower, language: str
) -> FollowingFilter | None:
    found = subscriptions.of_followers(connection, city.id, [one.id]).get(one.id)
    if found is None:
        return None
    return FollowingFilter(
        filter=in_words(city, names_for(connection, city), found.wanted, language),
        is_confirmed=one.confirmed_at is not None,
        is_daily=one.is_daily,
        ends_at=one.ends_at,
    )


def confirm(platform: Platform, city: Jurisdiction, token: str, *, now: datetime) -> None:
    """Store that the owner of the address wants mail. Raises NotFound, also if the follower has left.

    Mail about a filter then comes for a year. A second confirmation prolongs it.
    """
    with platform.database.transaction() as connection:
        one = _require(connection, city, token, is_locked=True)
        if not one.number:
            followers.confirm(connection, one, 0, now)
            subscriptions.activate_of_follower(connection, city.id, one.id, now)
        elif one.confirmed_at is None:
            followers.confirm(connection, one, one.told_version, now)
            _catch_up(connection, city, one, now)
            record = requests.load_record(connection, city.id, number=one.number, is_locked=False)
            if record and _can_answer(city, replace(one, confirmed_at=now), record):
                feedback.ask(connection, city.id, [one.number])


def _catch_up(connection: Connection, city: Jurisdiction, one: Follower, now: datetime) -> None:
    """Make a mail about what has happened since the first mail. If there is nothing to tell, it is not sent."""
    desk = MailDesk(connection, city, now)
    mails.add(connection, desk.new_mail(MailKind.CHANGES, one.email, follower_id=one.id))


def choose_pace(platform: Platform, city: Jurisdiction, token: str, *, is_daily: bool) -> None:
    """Get news about a filter once a day, or once an hour. Raises NotFound, also for mail about one request."""
    with platform.database.transaction() as connection:
        one = _require(connection, city, token)
        if one.number:
            raise NotFound(tell("This link is for mail about one report. Such mail comes when something happens."))
        followers.choose(connection, one, is_daily=is_daily)


def leave(platform: Platform, city: Jurisdiction, token: str) -> None:
    """Get no more mail about the request or the filter. A second call changes nothing.

    Raises NotFound for a link that was not made here.
    """
    with platform.database.transaction() as connection:
        one = _follower(connection, city, token)
        followers.remove(connection, city.id, [one.id] if one else [])


def refuse(platform: Platform, city: Jurisdiction, token: str, *, now: datetime) -> None:
    """Get no mail from the city any more, about any request. Raises NotFound, also if the follower has left."""
    with platform.database.transaction() as connection:
        one = _require(connection, city, token)
        stop_mail(connection, one, Stop.REFUSED, now)


def answer(platform: Platform, city: Jurisdiction, token: str, said: Feedback, *, now: datetime) -> None:
    """Say whether the problem is solved. Staff read it in the history.

    Raises NotFound for a link that was not made here or has ended. Raises Conflict if the city does not ask the
    follower now, or after too many answers.
    """
    with platform.database.transaction() as connection:
        one = _require(connection, city, token)
        record = load_request(connection, city, one.number)
        if not _can_answer(city, one, record):
            raise Conflict(tell("The city does not ask about this report now."))
        _store_answer(connection, city, record, said, now)


def reopen(platform: Platform, city: Jurisdiction, token: str, *, now: datetime) -> None:
    """Open a closed request again, because the problem is not solved.

    Raises NotFound for a link that was not made here or has ended. Raises Conflict if the follower cannot open the
    request now, or after too many answers.
    """
    with platform.database.transaction() as connection:
        one = _require(connection, city, token)
        record = load_request(connection, city, one.number)
        until = reopens_until(city, record) if one.is_reporter and one.confirmed_at else None
        if until is None or now >= until:
            raise Conflict(tell("This report cannot be opened again here. Please send a new one."))
        _store_answer(connection, city, record, Feedback.NOT_SOLVED, now)
        desk = effects.Desk(connection, city, REPORTER, now)
        act_within(desk, one.number, [Reopen(reason=NOT_SOLVED)])


def support(
    platform: Platform, city: Jurisdiction, token: str, *, is_taken_back: bool = False, now: datetime
) -> None:
    """Say "me too" about the request, or take it back. Each email address counts as one person.

    Raises NotFound for a link that was not made here or has ended, and for a request that the public cannot read.
    Raises Conflict for the reporter, who is counted already, and as `supporting.support` does.
    """

    def change() -> None:
        with platform.database.transaction() as connection:
            one = _require(connection, city, token)
            named = requests.load_record(connection, city.id, number=one.number, is_locked=False)
            if named is None or not named.visibility.is_shown or not named.service_request_id:
                raise NotFound(tell("Reports that the public cannot read cannot be supported."))
            if one.is_reporter:
                raise Conflict(tell("You have sent this report, so you are counted already."))
            record = locked_target(connection, city, named)
            if is_taken_back:
                withdraw(connection, city, record, _supporter(one))
            else:
                give(connection, city, record, _supporter(one), now)

    undeadlocked(change)


def _supporter(one: Follower) -> Supporter:
    return Supporter(kind=SupporterKind.EMAIL, value=one.email)


def _supports(connection: Connection, one: Follower, record: RequestRecord) -> bool:
    """Whether a follower supports the request, or the one that it was merged into."""
    key, person = mails.key_of(connection), _supporter(one)
    numbers = [number for number in (record.number, record.merged_into) if number]
    digest = person.digest(key, one.jurisdiction_id)
    return supporters.supports(connection, one.jurisdiction_id, numbers, person.api_key_id, digest)


def follow(
    platform: Platform, city: Jurisdiction, service_request_id: str, email: str, *, language: str, now: datetime
) -> bool:
    """Let somebody follow a public request by mail: a mail asks the owner of the address to agree.

    Returns False if the text is no address to which mail can be sent. In all other cases the answer is the same, so
    that nobody learns who follows the request, or whether an address has reached its limits. Raises NotFound for a
    request that the public cannot read.
    """
    if not mails_followers(platform.settings, city):
        raise NotFound(tell("Reports cannot be followed by mail here."))
    if mailbox_of(email) is None:
        return False
    with platform.database.transaction() as connection:
        record = load_request(connection, city, service_request_id, is_locked=False)
        if not record.visibility.is_shown or record.is_test or record.service_request_id != service_request_id:
            raise NotFound(tell("{id!r} is not a request here.", id=service_request_id[:60]), "service_request_id")
        new = Follower(
            jurisdiction_id=city.id,
            number=record.number,
            email=email,
            language=language,
            is_reporter=False,
            told_version=record.version,
            created_at=now,
        )
        invite(MailDesk(connection, city, now), new, MailKind.CONFIRM)
    return True


def _follower(
    connection: Connection, city: Jurisdiction, token: str, *, is_locked: bool = False
) -> Follower | None:
    """The follower of a link; None if the follower has left. Raises NotFound for a link that was not made here."""
    key = mails.key_of(connection)
    id = follower_of_link(key, city.id, token) if key else 0
    if not id:
        raise NotFound(tell("This link is not or no longer valid; ask the city for a new one."))
    return followers.load(connection, city.id, id, is_locked=is_locked)


def _require(connection: Connection, city: Jurisdiction, token: str, *, is_locked: bool = False) -> Follower:
    one = _follower(connection, city, token, is_locked=is_locked)
    if one is None:
        raise NotFound(tell("This link has ended, because you get no more of these mails."))
    return one


def _can_answer(city: Jurisdiction, one: Follower, record: RequestRecord) -> bool:
    is_asked = city.mail.feedback and one.is_reporter and one.confirmed_at is not None
    return is_asked and record.status is Status.CLOSED and not record.merged_into


def _store_answer(
    connection: Connection, city: Jurisdiction, record: RequestRecord, said: Feedback, now: datetime
) -> None:
    """Store an answer, unless it is the same as the last one. Raises Conflict after `MOST_ANSWERS`."""
    before = feedback_since_closing(history.load_events(connection, city.id, record.number))
    if before and before[-1] == said:
        return
    if len(before) >= MOST_ANSWERS:
        raise Conflict(tell("You have answered this question often enough. Please write to the city."))
    event = FeedbackGiven(at=now, actor=str(REPORTER), answer=said.value)
    change_requests(connection, [(record, [event])], names_for(connection, city))
