"""What the connector assumes of Streak, what it does about it, and what a maintainer can do.

The numbers are those of docs/open_points.md. Words in braces are filled in by the points.
"""

from __future__ import annotations

from typing import NamedTuple

from probing.points import Assumption, Verdict


class Text(NamedTuple):
    """One assumption."""

    number: str
    assumed: str
    connector: str
    advice: str


def judged(name: str, streak: str, it_does: bool | Verdict | None, **words: object) -> Assumption:
    """A row of the table. `streak`: what it did; `it_does`: None where nobody can tell."""
    text = Text(*(part.format(**words) for part in TEXTS[name]))
    verdict = it_does if isinstance(it_does, Verdict) else _verdict(it_does)
    return Assumption(text.number, text.assumed, text.connector, streak, verdict, text.advice)


def _verdict(it_does: bool | None) -> Verdict:
    if it_does is None:
        return Verdict.CANNOT_TELL
    return Verdict.HOLDS if it_does else Verdict.DIFFERS


TEXTS: dict[str, Text] = {
    "me": Text(
        "",
        "v1/users/me answers an object with a key.",
        "Checks the API key with it, and remembers whose key it is.",
        "check fails: see source.py.",
    ),
    "teams": Text(
        "",
        "v2/users/me/teams lists the teams in {{results, hasNextPage}}.",
        "Reads it page by page.",
        "No team is read: contacts and organizations are missing.",
    ),
    "email sharing": Text(
        "22",
        "emailSharing of a member is a text: None or Existence.",
        "Has a column of text; another type goes to otherProperties.",
        "Correct schemas/team_members.json.",
    ),
    "v2 pipelines": Text(
        "",
        "v2/pipelines lists the pipelines in {{results, hasNextPage}}.",
        "Reads it page by page; takes v1/pipelines where it is refused.",
        "v1/pipelines is read instead, which lacks what only v2 tells.",
    ),
    "v2 pages": Text(
        "",
        "v2/pipelines honours limit and page.",
        "Asks for pages of 100 until hasNextPage is false or a page has nothing new.",
        "A list that is capped and knows no page stays short.",
    ),
    "box count": Text(
        "",
        "Every pipeline tells its boxCount.",
        "Compares each box list with it; without it no list is known to be whole.",
        "Deletions of boxes are concluded from whole lists alone.",
    ),
    "listed": Text(
        "16",
        "What this key may not see is a 401 or 403; what is listed can be read.",
        "Asks users/me again at a 401 or 403, then leaves the pipeline out and says so.",
        "A listed pipeline answers with another status: see the table in api/errors.py.",
    ),
    "box list length": Text(
        "",
        "A list of boxes is as long as boxCount says.",
        "Asks again for a short list; still short, nothing is taken for deleted.",
        "No deletion is told in these pipelines until the difference has stood for an hour.",
    ),
    "box list order": Text(
        "",
        "sortBy=creationTimestamp sorts descending, and no box comes twice on a page.",
        "Relies on an order that an edit does not change; takes each key once.",
        "Boxes can be missed at the edges of pages: see api/listings.py.",
    ),
    "box list envelope": Text(
        "1",
        "A list of boxes is a bare array or {{results, hasNextPage}}.",
        "Reads both; asks with limit, page and sortBy.",
        "parse_page (api/paging.py) does not know this envelope: every box list fails.",
    ),
    "box list pages": Text(
        "3",
        "Box lists honour limit and page, {how} sortBy.",
        "Pages with sortBy; a page with nothing new ends a list.",
        "Only the first page is read, or everything at once: compare with boxCount.",
    ),
    "box list limit": Text(
        "2",
        "limit=500 is honoured.",
        "Asks for 500 boxes a page, and goes on where fewer come.",
        "Each sync takes more requests: lower the limit in api/listings.py to what is honoured.",
    ),
    "v2 box list": Text(
        "4",
        "v2/pipelines/{{pipelineKey}}/boxes takes limit and page.",
        "Does not ask for it: v1 is documented.",
        "Nothing to do: the connector does without it.",
    ),
    "batch": Text(
        "5",
        "The batch read of boxes answers an array of boxes.",
        "Does not ask for it.",
        "Nothing to do: the connector does without it.",
    ),
    "counters": Text(
        "19",
        "Every box has the counters of its comments, tasks, meetings, threads and files.",
        "Asks for the children of a box whose counter is absent; 0 means none.",
        "Nothing is lost, but a box without a counter costs a request for each kind.",
    ),
    "stage change": Text(
        "24",
        "No box has lastStageChangeDate; lastStageChangeTimestamp it is.",
        "Has no column for it.",
        "Add the property to schemas/boxes.json.",
    ),
    "stamps": Text(
        "18",
        "{other} may be older than {one}: what hangs on a box need not move it.",
        "Compares all stamps and counters of a box, never one stamp alone.",
        "",
    ),
    "encoding": Text(
        "13",
        "A value of {kind} is {types}.",
        "Types it so; what does not fit is counted, and rawValue has it in any case.",
        "Teach records/fields.py this encoding.",
    ),
    "unset": Text(
        "14",
        "A field without a value is absent, or an empty text.",
        "Takes absent, null, an empty text and an empty list for no value.",
        "Nothing to do: the connector takes these for no value too.",
    ),
    "stages": Text(
        "11",
        "A pipeline holds its stages: an object by stage key, each with a name.",
        "Reads them there, and asks for no list of stages.",
        "pipeline_stages is empty or without names: see PipelineStages in streams.py.",
    ),
    "box by key": Text(
        "",
        "A listed box answers by its key, as in the list.",
        "Asks so for boxes that are missing from their list, before it tells them deleted.",
        "Deletions of boxes hang on this answer: see api/look_up.py.",
    ),
    "timeline": Text(
        "6",
        "The timeline takes filters=[A,B], direction and limit=100, and answers "
        "{{entries, nextPage}}.",
        "box_changes asks so; another answer fails this stream and no other.",
        "See records/changes.py, and the shape in the section.",
    ),
    "timeline key": Text(
        "6",
        "Every entry of the timeline is an object with a key of its own.",
        "Makes a digest of an entry without a key; keeps the entry whole.",
        "Nothing is lost; use what identifies an entry, if the shape shows it.",
    ),
    "timeline time": Text(
        "6",
        "The connector finds the time of every entry of the timeline.",
        "Looks for it in the entry; `timestamp` is empty where there is none.",
        "Teach records/changes.py where the time is: the section lists the names.",
    ),
    "timeline token": Text(
        "6",
        "nextPageToken is sent alone.",
        "Sends it alone.",
        "The second page of a timeline cannot be read so: see its pager in streams.py.",
    ),
    "timeline order": Text(
        "6",
        "Ascending is oldest first: Descending turned round.",
        "Asks for Ascending, so that what is new comes last.",
        "No row depends on the order, but the time that a sync starts from does.",
    ),
    "timeline start": Text(
        "6",
        "startTimestamp with Ascending leaves out what is older.",
        "Sends the time of the last sync less a day for boxes it has read before.",
        "Every timeline is read whole in each sync: nothing is lost, but it costs requests.",
    ),
    "documents": Text(
        "",
        "v1/boxes/{{boxKey}}/md answers text/markdown or text/plain.",
        "box_documents takes the text as it is; a web page or JSON fails this stream alone.",
        "See text_of in api/client.py.",
    ),
    "child count": Text(
        "",
        "The list of {kind} is as long as {counters} says.",
        "Asks for nothing where it is 0; concludes no deletion from a shorter list.",
        "A counter of 0 hides rows: ask without regard to it.",
    ),
    "child flag": Text(
        "{number}",
        "The list of {kind} comes whole, {how}.",
        "Asks for page=1 where hasNextPage is true, until nothing new comes.",
        "There is a further page: see that it is read (api/paging.py).",
    ),
    "child pages": Text(
        "{number}",
        "The list of {kind} takes limit and page.",
        "Sends both, and follows hasNextPage.",
        "If ignored, the first answer is whole and nothing is lost; if refused, send none.",
    ),
    "child whole": Text(
        "{number}",
        "The list of {kind} knows no limit and no page.",
        "Sends neither.",
        "It can be paged, so a long list may come short without: page it (streams.py).",
    ),
    "tasks": Text(
        "10",
        "A task has assignedTo, an older one assignedToSharingEntries.",
        "Has columns for both.",
        "The people of a task are under another name: see the shape.",
    ),
    "durations": Text(
        "20",
        "totalCallLogDuration and totalMeetingNotesDuration add up the meetings' durations, "
        "in milliseconds.",
        "Hands them on as they are; the schema says milliseconds.",
        "Correct the unit in schemas/boxes.json.",
    ),
    "newsfeed": Text(
        "",
        "A newsfeed holds at most 50 events.",
        "Reads it once a sync; a full one whose oldest event is new is said to have a gap.",
        "The gap is reckoned with 50 events: see Newsfeed in streams.py.",
    ),
    "snippets": Text(
        "7",
        "v1/snippets knows no limit and no page.",
        "Asks for it once, without parameters.",
        "It can be paged, so a long list may come short without: page it (streams.py).",
    ),
    "snippet text": Text(
        "12",
        "snippetText is an object {{value}} or a text.",
        "Takes both.",
        "See Snippets in streams.py.",
    ),
    "agenda": Text(
        "",
        "v2/tasks is one user's agenda and no list of all tasks.",
        "Does not ask for it: reads the tasks of each box.",
        "Nothing to do: the connector does without it.",
    ),
    "directory": Text(
        "",
        "The list of {kind} is {{results, cursor}}; limit goes up to 1,000.",
        "Asks for 1,000 at once, and goes on with the cursor.",
        "Nothing of the {kind} is read: see api/listings.py.",
    ),
    "directory cursor": Text(
        "",
        "A cursor of {kind} leads to the next page.",
        "Follows it; a refused cursor restarts the list once.",
        "Only the first page of each team is read.",
    ),
    "directory fields": Text(
        "",
        "Custom fields of {kind} are an object of texts by field key.",
        "Types a text by the type of its field: dates, ticks and numbers in their columns.",
        "Nothing to do if the types are those of boxes, which are known too.",
    ),
    "directory links": Text(
        "",
        "contactLinks and orgLinks of {kind} are arrays of objects with a key.",
        "Makes rows of contact_links, contact_organizations and organization_links of them.",
        "See the links in streams.py.",
    ),
    "after": Text(
        "21",
        "`after` of contacts counts seconds and is inclusive.",
        "Sends start_date so, in seconds.",
        "start_date leaves out more contacts, or fewer, than it says.",
    ),
    "single objects": Text(
        "",
        "Pipelines, teams, contacts and organizations answer by key, with their own key.",
        "Asks so before it tells something deleted; another key means merged.",
        "Deletions hang on this: see api/look_up.py.",
    ),
    "unknown key": Text(
        "15",
        "A well-formed key that names nothing is a 404 (401 if it is another account's), "
        "or a 400 with the words of the key issue.",
        "Takes these for gone, after a second question and a control.",
        "What is deleted is not told: see reason_of in api/errors.py.",
    ),
    "malformed key": Text(
        "15",
        "A malformed key is a 400.",
        "Sends none: keys are looked at before they go into a path.",
        "Nothing to do: the connector sends none.",
    ),
    "schema": Text(
        "",
        "The schema of {stream} knows every property, with the type that Streak sends.",
        "Unknown ones go to otherProperties; scalars of another type are converted.",
        "Complete schemas/{stream}.json.",
    ),
    "rate": Text(
        "17",
        "5 requests a second are below Streak's limit.",
        "Sends 8 a second; waits at a 429 for as long as it says, else longer each time.",
        "Lower the default of requests_per_second.",
    ),
    "rate headers": Text(
        "17",
        "No header tells how many requests are left.",
        "Reads Retry-After alone.",
        "Pace by what the headers tell: their names are under On the wire.",
    ),
    "www": Text(
        "23",
        "www.streak.com answers like api.streak.com.",
        "Asks api.streak.com alone.",
        "",
    ),
}
