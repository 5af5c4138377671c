"""A first page is never taken for all of a source, and a last page is never taken for a first.

The shapes are those of the APIs that a row names; two records came with each page.
"""

# ruff: noqa: D103, E501 - a test's name is its promise, and an API is one line
from __future__ import annotations

from typing import Any

import pytest

from micro_etl.dataset import Path, parse_path
from micro_etl.source.paging.evidence import find_evidence

R = [{"id": 1}, {"id": 2}]
NEXT = "https://api.example.com/x?page=2"

MORE: list[tuple[str, str, Any, str]] = [
    # the API, the path to its records, the page beside them, the kind that fits
    ("Stripe", "data", {"object": "list", "data": R, "has_more": True}, "last_record"),
    ("Slack", "channels", {"channels": R, "response_metadata": {"next_cursor": "dGVhbQ=="}}, "cursor"),
    ("Notion", "results", {"results": R, "has_more": True, "next_cursor": "fe2c"}, "cursor"),
    ("Airtable", "records", {"records": R, "offset": "itrB/recC"}, "cursor"),
    ("Twilio", "calls", {"calls": R, "page": 0, "next_page_uri": "/2010/Calls?Page=1"}, "next_url"),
    ("Twilio's meta", "services", {"services": R, "meta": {"page": 0, "next_page_url": NEXT}}, "next_url"),
    ("Zendesk by number", "tickets", {"tickets": R, "next_page": NEXT, "count": 9}, "next_url"),
    ("Zendesk by cursor", "tickets", {"tickets": R, "meta": {"has_more": True, "after_cursor": "x"}, "links": {"next": NEXT}}, "next_url"),
    ("HubSpot", "results", {"results": R, "paging": {"next": {"after": "2", "link": NEXT}}}, "next_url"),
    ("Jira by offset", "issues", {"startAt": 0, "maxResults": 2, "total": 9, "issues": R}, "offset"),
    ("Jira by token", "issues", {"isLast": False, "nextPageToken": "CAE", "issues": R}, "cursor"),
    ("Google", "items", {"kind": "drive#fileList", "nextPageToken": "~!!~AI", "items": R}, "cursor"),
    ("Google's search that broke off", "files", {"files": R, "incompleteSearch": True}, "last_record"),
    ("Microsoft Graph", "value", {"@odata.context": "x", "@odata.nextLink": NEXT, "value": R}, "next_url"),
    ("OData 2", "d.results", {"d": {"results": R, "__next": NEXT}}, "next_url"),
    ("Django REST framework", "results", {"count": 9, "next": NEXT, "previous": None, "results": R}, "next_url"),
    ("Django, its link behind a proxy lost", "results", {"count": 9, "next": None, "previous": None, "results": R}, "offset"),
    ("JSON:API", "data", {"data": R, "links": {"self": "x", "next": "/x?page[offset]=2"}}, "next_url"),
    ("JSON:API 1.1", "data", {"data": R, "links": {"next": {"href": "/x?page=2"}}}, "next_url"),
    ("HAL", "_embedded.orders", {"_embedded": {"orders": R}, "_links": {"self": {"href": "x"}, "next": {"href": NEXT}}}, "next_url"),
    ("Spring Data", "content", {"content": R, "last": False, "totalPages": 3, "totalElements": 5, "number": 0, "size": 2}, "page_number"),
    ("Spring HATEOAS", "_embedded.x", {"_embedded": {"x": R}, "page": {"size": 2, "totalElements": 5, "totalPages": 3, "number": 0}}, "page_number"),
    ("mongoose-paginate", "docs", {"docs": R, "totalDocs": 5, "limit": 2, "page": 1, "totalPages": 3, "hasNextPage": True, "nextPage": 2}, "cursor"),
    ("Laravel", "data", {"data": R, "links": {"next": NEXT}, "meta": {"current_page": 1, "last_page": 3, "total": 5}}, "next_url"),
    ("Laravel, simple", "data", {"data": R, "current_page": 1, "last_page": 3, "from": 1, "to": 2, "total": 5, "per_page": 2, "next_page_url": NEXT}, "next_url"),
    ("Laravel without links", "data", {"data": R, "meta": {"current_page": 1, "last_page": 3, "total": 5}}, "page_number"),
    ("Intercom", "data", {"type": "list", "data": R, "total_count": 5, "pages": {"type": "pages", "next": {"page": 2, "starting_after": "Wz"}, "page": 1, "per_page": 2, "total_pages": 3}}, "cursor"),
    ("Mailchimp", "lists", {"lists": R, "total_items": 5, "constraints": {}, "_links": []}, "offset"),
    ("PagerDuty", "incidents", {"incidents": R, "limit": 2, "offset": 0, "total": None, "more": True}, "last_record"),
    ("Salesforce", "records", {"totalSize": 5, "done": False, "nextRecordsUrl": "/services/data/v59.0/query/01g-2000", "records": R}, "next_url"),
    ("Contentful", "items", {"sys": {"type": "Array"}, "total": 5, "skip": 0, "limit": 2, "items": R}, "offset"),
    ("OpenAlex", "results", {"meta": {"count": 5, "page": 1, "per_page": 2, "next_cursor": "IlsxNj"}, "results": R}, "cursor"),
    ("Crossref", "message.items", {"status": "ok", "message": {"total-results": 5, "items": R, "items-per-page": 2, "query": {"start-index": 0}}}, "offset"),
    ("CKAN", "result.records", {"success": True, "result": {"records": R, "_links": {"next": "/api/3?offset=2"}, "total": 5, "limit": 2}}, "next_url"),
    ("OpenDataSoft", "results", {"total_count": 5, "results": R}, "offset"),
    ("OpenDataSoft 1", "records", {"nhits": 5, "parameters": {"rows": 2}, "records": R}, "offset"),
    ("Elasticsearch", "hits.hits", {"timed_out": False, "hits": {"total": {"value": 5, "relation": "eq"}, "hits": R}}, "offset"),
    ("Elasticsearch, which counts no further", "hits.hits", {"hits": {"total": {"value": 2, "relation": "gte"}, "hits": R}}, "last_record"),
    ("Solr, which counts no further", "response.docs", {"response": {"numFound": 2, "numFoundExact": False, "start": 0, "docs": R}}, "last_record"),
    ("Elasticsearch 6", "hits.hits", {"timed_out": False, "hits": {"total": 5, "hits": R}}, "offset"),
    ("Solr", "response.docs", {"response": {"numFound": 5, "start": 0, "docs": R}}, "offset"),
    ("Algolia", "hits", {"hits": R, "nbHits": 5, "page": 0, "nbPages": 3, "hitsPerPage": 2}, "page_number"),
    ("Meilisearch", "hits", {"hits": R, "offset": 0, "limit": 2, "estimatedTotalHits": 5}, "offset"),
    ("GraphQL", "data.repo.issues.nodes", {"data": {"repo": {"issues": {"nodes": R, "pageInfo": {"hasNextPage": True, "endCursor": "Y3"}}}}}, "last_record"),
    ("GitHub's search", "items", {"total_count": 5, "incomplete_results": False, "items": R}, "offset"),
    ("GitHub's search that timed out", "items", {"total_count": 2, "incomplete_results": True, "items": R}, "last_record"),
    ("Spotify", "items", {"href": "x", "items": R, "limit": 2, "next": NEXT, "offset": 0, "total": 5}, "next_url"),
    ("Reddit", "data.children", {"kind": "Listing", "data": {"after": "t3_15b", "dist": 2, "children": R, "before": None}}, "cursor"),
    ("Facebook", "data", {"data": R, "paging": {"cursors": {"before": "MQ", "after": "Mg"}, "next": NEXT}}, "next_url"),
    ("Asana", "data", {"data": R, "next_page": {"offset": "eyJ0", "path": "/tasks?offset=eyJ0", "uri": NEXT}}, "next_url"),
    ("Box", "entries", {"entries": R, "limit": 2, "next_marker": "JV9I"}, "cursor"),
    ("Bitbucket", "values", {"values": R, "pagelen": 2, "page": 1, "size": 5, "next": NEXT}, "next_url"),
    ("Square", "payments", {"payments": R, "cursor": "TlOT"}, "cursor"),
    ("Twitch", "data", {"data": R, "pagination": {"cursor": "eyJi"}}, "cursor"),
    ("X", "data", {"data": R, "meta": {"result_count": 2, "next_token": "b26v"}}, "cursor"),
    ("Dropbox", "entries", {"entries": R, "cursor": "ZtkX", "has_more": True}, "cursor"),
    ("DynamoDB", "Items", {"Items": R, "Count": 2, "LastEvaluatedKey": {"id": {"S": "x"}}}, "cursor"),
    ("AWS", "Reservations", {"Reservations": R, "NextToken": "eyJ2"}, "cursor"),
    ("IAM", "Users", {"Users": R, "IsTruncated": True, "Marker": "x"}, "last_record"),
    ("Discogs", "releases", {"pagination": {"page": 1, "pages": 3, "per_page": 2, "items": 5, "urls": {"next": NEXT}}, "releases": R}, "next_url"),
    ("TMDB", "results", {"page": 1, "results": R, "total_pages": 3, "total_results": 5}, "page_number"),
    ("OMDb", "Search", {"Search": R, "totalResults": "5", "Response": "True"}, "offset"),
    ("World Bank", "[1]", [{"page": 1, "pages": 3, "per_page": "2", "total": 5}, R], "page_number"),
    ("Pipedrive", "data", {"data": R, "additional_data": {"pagination": {"start": 0, "limit": 2, "more_items_in_collection": True, "next_start": 2}}}, "cursor"),
    ("Datadog", "data", {"data": R, "meta": {"page": {"after": "eyJz"}}}, "cursor"),
    ("GBIF", "results", {"offset": 0, "limit": 2, "endOfRecords": False, "results": R}, "last_record"),
    ("ArcGIS", "features", {"features": R, "exceededTransferLimit": True}, "last_record"),
    ("MediaWiki", "query.pages", {"continue": {"apcontinue": "B", "continue": "-||"}, "query": {"pages": R}}, "cursor"),
    ("FHIR", "entry", {"resourceType": "Bundle", "total": 5, "link": [{"relation": "self", "url": "x"}, {"relation": "next", "url": NEXT}], "entry": R}, "next_url"),
    ("PayPal", "transactions", {"transactions": R, "total_pages": 3, "page": 1, "links": [{"rel": "next", "href": NEXT}]}, "next_url"),
    ("Zoom", "users", {"page_count": 3, "page_number": 1, "page_size": 2, "total_records": 5, "next_page_token": "", "users": R}, "page_number"),
    ("Eventbrite", "events", {"pagination": {"object_count": 5, "page_number": 1, "page_size": 2, "page_count": 3, "has_more_items": True}, "events": R}, "page_number"),
    ("openFDA", "results", {"meta": {"results": {"skip": 0, "limit": 2, "total": 5}}, "results": R}, "offset"),
    ("SCIM", "Resources", {"totalResults": 5, "itemsPerPage": 2, "startIndex": 1, "Resources": R}, "offset"),
    ("NVD", "vulnerabilities", {"resultsPerPage": 2, "startIndex": 0, "totalResults": 5, "vulnerabilities": R}, "offset"),
    ("NetSuite", "items", {"items": R, "count": 2, "hasMore": True, "offset": 0, "totalResults": 5}, "last_record"),
    ("Etsy", "results", {"count": 5, "results": R, "pagination": {"effective_limit": 2, "effective_offset": 0, "next_offset": 2}}, "cursor"),
    ("Rick and Morty", "results", {"info": {"count": 5, "pages": 3, "next": NEXT, "prev": None}, "results": R}, "next_url"),
    ("Zoho", "data", {"data": R, "info": {"per_page": 2, "count": 2, "page": 1, "more_records": True}}, "page_number"),
    ("Discourse", "topic_list.topics", {"topic_list": {"per_page": 2, "more_topics_url": "/latest?page=1", "topics": R}}, "next_url"),
    ("Coinbase", "data", {"pagination": {"limit": 2, "next_uri": "/v2/x?starting_after=2"}, "data": R}, "next_url"),
    ("OData, counted", "value", {"@odata.context": "x", "@odata.count": 5, "value": R}, "offset"),
    ("OData 3, counted", "value", {"odata.count": "5", "value": R}, "offset"),
    ("Hydra", "hydra:member", {"hydra:member": R, "hydra:totalItems": 5}, "offset"),
    ("Hydra's view", "hydra:member", {"hydra:member": R, "hydra:view": {"hydra:first": "/x", "hydra:next": "/x?page=2"}}, "next_url"),
    ("DataTables", "data", {"draw": 1, "recordsTotal": 5, "recordsFiltered": 5, "data": R}, "offset"),
    ("DataTables without a filter", "data", {"recordsTotal": 5, "data": R}, "offset"),
    ("1 for true", "data", {"data": R, "has_more": 1}, "last_record"),
    ("Cognito", "Users", {"Users": R, "PaginationToken": "x"}, "cursor"),
    ("pages that are counted", "data", {"data": R, "totalPages": 3}, "page_number"),
    ("pages that are counted, with _", "data", {"data": R, "total_pages": 3}, "page_number"),
    ("a last page", "data", {"data": R, "meta": {"last_page": 3}}, "page_number"),
    ("a count of pages", "data", {"data": R, "page_count": 3, "count": 2}, "page_number"),
    ("a count of pages in one word", "data", {"data": R, "pageCount": "3"}, "page_number"),
    ("pagination.pages", "data", {"data": R, "pagination": {"pages": 3}}, "page_number"),
    ("pages of a current one", "data", {"data": R, "pages": {"current": 1, "total": 3}}, "page_number"),
    ("a total of pages", "data", {"data": R, "pages": {"current": 1, "total": 2}}, "page_number"),
    ("orders with their lines", "orders.*.lines", {"orders": [{"lines": R}, {"lines": R}], "next": NEXT}, "next_url"),
]  # fmt: skip

LAST: list[tuple[str, str, Any]] = [
    ("Stripe", "data", {"object": "list", "data": R, "has_more": False}),
    ("Slack", "channels", {"channels": R, "response_metadata": {"next_cursor": ""}}),
    ("Notion", "results", {"results": R, "has_more": False, "next_cursor": None}),
    ("Airtable", "records", {"records": R}),
    ("Twilio", "calls", {"calls": R, "page": 1, "page_size": 50, "next_page_uri": None, "previous_page_uri": "/x"}),
    ("Zendesk by number", "tickets", {"tickets": R, "next_page": None, "previous_page": NEXT, "count": 9}),
    ("Zendesk by cursor", "tickets", {"tickets": R, "meta": {"has_more": False, "after_cursor": "x"}, "links": {"next": NEXT}}),
    ("HubSpot", "results", {"total": 2, "results": R}),
    ("Jira by offset", "issues", {"startAt": 3, "maxResults": 50, "total": 5, "issues": R}),
    ("Jira by token", "issues", {"isLast": True, "issues": R}),
    ("Google", "items", {"kind": "drive#fileList", "incompleteSearch": False, "items": R}),
    ("Google, empty token", "items", {"nextPageToken": "", "items": R}),
    ("Microsoft Graph", "value", {"@odata.context": "x", "@odata.count": 2, "value": R}),
    ("Django REST framework", "results", {"count": 9, "next": None, "previous": NEXT, "results": R}),
    ("Django, one page", "results", {"count": 2, "next": None, "previous": None, "results": R}),
    ("JSON:API", "data", {"data": R, "links": {"self": "x", "first": "x", "prev": "x", "next": None, "last": "x"}}),
    ("JSON:API with the same page", "data", {"data": R, "links": {"self": "x"}, "meta": {"total": 2}}),
    ("HAL", "_embedded.orders", {"_embedded": {"orders": R}, "_links": {"self": {"href": "x"}}, "page": {"size": 20, "totalElements": 2, "totalPages": 1, "number": 0}}),
    ("HAL, page 3", "_embedded.orders", {"_embedded": {"orders": R}, "_links": {"prev": {"href": "x"}}, "page": {"size": 20, "totalElements": 42, "totalPages": 3, "number": 2}}),
    ("Spring Data", "content", {"content": R, "last": True, "totalPages": 3, "totalElements": 6, "number": 2, "size": 2}),
    ("mongoose-paginate", "docs", {"docs": R, "totalDocs": 6, "limit": 2, "page": 3, "totalPages": 3, "hasNextPage": False, "nextPage": None}),
    ("Laravel", "data", {"data": R, "links": {"first": "x", "last": "x", "prev": "x", "next": None}, "meta": {"current_page": 3, "from": 5, "last_page": 3, "links": [{"url": None, "label": "Next", "active": False}], "per_page": 2, "to": 6, "total": 6}}),
    ("Intercom", "data", {"type": "list", "data": R, "total_count": 6, "pages": {"type": "pages", "page": 3, "per_page": 2, "total_pages": 3}}),
    ("Mailchimp", "lists", {"lists": R, "total_items": 2}),
    ("PagerDuty", "incidents", {"incidents": R, "limit": 2, "offset": 4, "total": None, "more": False}),
    ("Salesforce", "records", {"totalSize": 2, "done": True, "records": R}),
    ("Salesforce, last of many", "records", {"totalSize": 2002, "done": True, "records": R}),
    ("ServiceNow", "result", {"result": R}),
    ("Contentful", "items", {"total": 5, "skip": 3, "limit": 100, "items": R}),
    ("OpenAlex", "results", {"meta": {"count": 102, "page": None, "per_page": 100, "next_cursor": None}, "results": R}),
    ("Crossref", "message.items", {"message": {"total-results": 2, "items": R, "items-per-page": 20, "next-cursor": "DnF1"}}),
    ("CKAN, which names a next page for ever", "result.records", {"result": {"records": R, "_links": {"start": "/x", "next": "/x?offset=100"}, "total": 2, "limit": 100}}),
    ("CKAN, its second page", "result.records", {"result": {"records": R, "_links": {"next": "/x?offset=200"}, "total": 102, "limit": 100, "offset": 100}}),
    ("Elasticsearch", "hits.hits", {"took": 1, "timed_out": False, "_shards": {"total": 5, "failed": 0}, "hits": {"total": {"value": 2, "relation": "eq"}, "max_score": 1.0, "hits": R}}),
    ("Elasticsearch, which counted fewer than came", "hits.hits", {"hits": {"total": {"value": 1, "relation": "gte"}, "hits": R}}),
    ("Solr, exactly", "response.docs", {"response": {"numFound": 2, "numFoundExact": True, "start": 0, "docs": R}}),
    ("Solr", "response.docs", {"responseHeader": {"status": 0, "params": {"rows": 10}}, "response": {"numFound": 5, "start": 3, "docs": R}}),
    ("Algolia", "hits", {"hits": R, "nbHits": 2, "page": 0, "nbPages": 1, "hitsPerPage": 20}),
    ("Algolia, page 2 of 0, 1, 2", "hits", {"hits": R, "nbHits": 42, "page": 2, "nbPages": 3, "hitsPerPage": 20}),
    ("GraphQL", "data.issues.nodes", {"data": {"issues": {"nodes": R, "totalCount": 22, "pageInfo": {"hasNextPage": False, "endCursor": "Y3"}}}}),
    ("GitHub's search", "items", {"total_count": 2, "incomplete_results": False, "items": R}),
    ("Spotify", "items", {"items": R, "limit": 20, "next": None, "offset": 40, "previous": "x", "total": 42}),
    ("Reddit", "data.children", {"kind": "Listing", "data": {"after": None, "children": R, "before": "t3"}}),
    ("Facebook, whose last page has a cursor", "data", {"data": R, "paging": {"cursors": {"before": "MQ", "after": "Mg"}}}),
    ("Asana", "data", {"data": R, "next_page": None}),
    ("Box", "entries", {"entries": R, "limit": 100, "next_marker": ""}),
    ("Bitbucket", "values", {"values": R, "pagelen": 10, "page": 3, "size": 22, "previous": "x"}),
    ("Twitch", "data", {"data": R, "pagination": {}}),
    ("X", "data", {"data": R, "meta": {"result_count": 2, "previous_token": "b26"}}),
    ("Dropbox", "entries", {"entries": R, "cursor": "ZtkX", "has_more": False}),
    ("DynamoDB", "Items", {"Items": R, "Count": 2, "ScannedCount": 2}),
    ("IAM", "Users", {"Users": R, "IsTruncated": False}),
    ("Discogs", "releases", {"pagination": {"page": 3, "pages": 3, "per_page": 2, "items": 6, "urls": {"prev": "x"}}, "releases": R}),
    ("TMDB", "results", {"page": 3, "results": R, "total_pages": 3, "total_results": 42}),
    ("World Bank", "[1]", [{"page": 1, "pages": 1, "per_page": "50", "total": 2}, R]),
    ("Pipedrive", "data", {"data": R, "additional_data": {"pagination": {"start": 0, "limit": 100, "more_items_in_collection": False}}}),
    ("GBIF", "results", {"offset": 0, "limit": 20, "endOfRecords": True, "count": 2, "results": R}),
    ("MediaWiki", "query.pages", {"batchcomplete": True, "query": {"pages": R}}),
    ("FHIR", "entry", {"total": 2, "link": [{"relation": "self", "url": "x"}], "entry": R}),
    ("Zoom", "users", {"page_count": 1, "page_number": 1, "page_size": 30, "total_records": 2, "next_page_token": "", "users": R}),
    ("openFDA", "results", {"meta": {"results": {"skip": 3, "limit": 10, "total": 5}}, "results": R}),
    ("SCIM", "Resources", {"totalResults": 5, "itemsPerPage": 2, "startIndex": 4, "Resources": R}),
    ("NVD", "vulnerabilities", {"resultsPerPage": 2, "startIndex": 3, "totalResults": 5, "vulnerabilities": R}),
    ("Etsy", "results", {"count": 2, "results": R, "pagination": {"effective_limit": 25, "effective_offset": 0, "next_offset": None}}),
    ("Rick and Morty", "results", {"info": {"count": 42, "pages": 3, "next": None, "prev": NEXT}, "results": R}),
    ("Zoho", "data", {"data": R, "info": {"per_page": 200, "count": 2, "page": 1, "more_records": False}}),
    ("USGS", "features", {"type": "FeatureCollection", "metadata": {"generated": 1700000200000, "status": 200, "count": 2}, "features": R}),
    ("Wikidata", "results.bindings", {"head": {"vars": ["item", "total"]}, "results": {"bindings": R}}),
    ("Frankfurter", "rates.*", {"amount": 1.0, "base": "EUR", "start_date": "2024-01-02", "rates": {"a": {}, "b": {}}}),
    ("prices with their sum", "items", {"items": R, "total": 1234.5, "currency": "EUR"}),
    ("numbers from 0 that are not there", "items", {"items": R, "next": 0, "page": 3, "pages": 3}),
    ("false", "items", {"items": R, "next": False}),
    ("OData, counted", "value", {"@odata.count": "2", "value": R}),
    ("Hydra", "hydra:member", {"hydra:member": R, "hydra:totalItems": 2, "hydra:view": {"@id": "/x"}}),
    ("Hydra's last page", "hydra:member", {"hydra:member": R, "hydra:totalItems": 42, "hydra:view": {"hydra:first": "/x", "hydra:last": "/x?page=2", "hydra:previous": "/x"}}),
    ("DataTables with a filter", "data", {"recordsTotal": 5, "recordsFiltered": 2, "data": R}),
    ("0 for false", "data", {"data": R, "has_more": 0, "total": 42}),
    ("one page", "data", {"data": R, "totalPages": 1, "last_page": 1, "page_count": 1}),
    ("all at once, whatever a page would be", "data", {"data": R, "total": 2, "total_pages": 2}),
    ("a book's pages", "chapters", {"title": "x", "pages": 320, "chapters": R}),
    ("its only page", "data", {"data": R, "pages": {"current": 1, "total": 1}}),
    ("its last page", "data", {"data": R, "pages": {"current": 3, "total": 3}}),
    ("Ant Design", "data", {"data": R, "pagination": {"current": 1, "pageSize": 10, "total": 2}}),
    ("an array", "", R),
]  # fmt: skip


def steps(records: str) -> Path:
    """The steps of a path to records."""
    parsed = parse_path(records) if records else None
    return parsed.steps if parsed else ()


@pytest.mark.parametrize(
    ("records", "page", "kind"), [pytest.param(*rest, id=name) for name, *rest in MORE]
)
def test_page_that_is_one_of_several_is_noticed(records: str, page: Any, kind: str) -> None:
    found = find_evidence({}, page, 2, records=steps(records))
    assert found is not None
    assert found.kind == kind
    assert f'kind = "{kind}"' in found.advice
    assert 'kind = "none"' in found.advice


@pytest.mark.parametrize(
    ("records", "page"), [pytest.param(*rest, id=name) for name, *rest in LAST]
)
def test_last_page_is_believed(records: str, page: Any) -> None:
    assert find_evidence({}, page, 2, records=steps(records)) is None


LINK = '<https://api.github.com/repositories/7/issues?page=2>; rel="next", <x>; rel="last"'


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"link": LINK}, "link_header"),
        ({"link": "https://a/x; rel=next"}, "link_header"),
        ({"x-next-page": "2", "x-page": "1", "x-total-pages": "3"}, "page_number"),
        ({"x-page": "1", "x-total-pages": "3"}, "page_number"),
        ({"x-wp-total": "42", "x-wp-totalpages": "5"}, "page_number"),
        ({"x-total-count": "42"}, "offset"),
        ({"content-range": "items 0-1/42"}, "offset"),
        ({"content-range": "0-1/42"}, "offset"),  # PostgREST
        ({"content-range": "items 40-41/42"}, "offset"),
        ({"content-range": "bytes 500-989/990"}, "offset"),
        ({"content-range": "2-3/*"}, "offset"),
        ({"x-pagination": '{"pages": 3}'}, "page_number"),
        ({"x-pagination-page": "1", "x-pagination-page-count": "5"}, "page_number"),
        ({"x-pagination-page-count": "5"}, "page_number"),
        ({"x-pagination-item-count": "5"}, "offset"),
        ({"x-pagination-total-count": "5"}, "offset"),
        ({"x-total-pages": "5"}, "page_number"),
        ({"x-has-more": "1"}, "page_number"),
        ({"x-has-next": "true"}, "page_number"),
        ({"x-ms-continuation-nextpartitionkey": "1!8!a"}, "cursor"),
        ({"next-range": "id 3.."}, "cursor"),  # Heroku
        ({"link": "</s.css>; rel=preload", "x-total-count": "5"}, "offset"),
        ({"x-ms-continuationtoken": "abc"}, "cursor"),
        ({"x-has-more": "true"}, "page_number"),
        ({"x-pagination": '{"CurrentPage": 1, "TotalPages": 3}'}, "page_number"),
        ({"link": '<x?page=1>; rel="prev"', "x-wp-total": "42", "x-wp-totalpages": "5"}, None),
        ({"link": '<x?page=1>; rel="first", <x>; rel="last"', "x-total": "42"}, None),
        ({"x-next-page": "", "x-page": "3", "x-total-pages": "3", "x-total": "42"}, None),
        ({"x-total-count": "2"}, None),
        ({"content-range": "0-1/2"}, None),
        ({"content-range": "items 1-2/2"}, None),
        ({"content-range": "items 1-2/*"}, None),
        ({"link": '<x?page=1>; rel="prev"', "content-range": "items 40-41/42"}, None),
        ({"x-pagination": '{"CurrentPage": 1, "TotalPages": 1, "TotalCount": 2}'}, None),
        ({"x-pagination-page-count": "1", "x-pagination-item-count": "2"}, None),
        ({"x-total-pages": "1"}, None),
        ({"x-total-pages": "5", "x-total-count": "2"}, None),
        ({"x-has-more": "0"}, None),
        ({"x-has-next": "false", "x-next-cursor": "null"}, None),
        ({"x-token": "abc", "x-hits": "9", "x-nextjs-cache": "HIT", "x-page-speed": "1.1"}, None),
        ({"x-ratelimit-limit": "60", "x-request-count": "9", "content-length": "900"}, None),
        ({"content-range": "items 0-1/*"}, None),
        ({"x-pagination": '{"CurrentPage": 3, "TotalPages": 3}'}, None),
        ({"x-pagination": "no JSON"}, None),
        ({"x-has-more": "false"}, None),
    ],
)
def test_headers_are_evidence_too(headers: dict[str, str], kind: str | None) -> None:
    found = find_evidence(headers, [{}, {}], 2)
    assert (found and found.kind) == kind


def test_advice_names_the_path() -> None:
    page = {"items": R, "meta": {"pagination": {"links": {"@odata.nextLink": NEXT}}}}
    found = find_evidence({}, page, 2, records=("items",))
    assert found is not None
    assert 'next = "meta.pagination.links.@odata.nextLink"' not in found.advice
    assert r'next = "meta.pagination.links.\"@odata.nextLink\""' in found.advice


def test_advice_names_the_number_of_a_total() -> None:
    found = find_evidence(
        {},
        {"hits": {"total": {"value": 5, "relation": "eq"}, "hits": R}},
        2,
        records=("hits", "hits"),
    )
    assert found is not None
    assert 'total = "hits.total.value"' in found.advice


def test_number_of_pages_may_be_called_a_total() -> None:
    page = {"items": [], "pagination": {"current": 1, "total": 5}}
    found = find_evidence({}, page, 100, records=("items",))
    assert found is not None
    assert found.what == "it is page 1 and pagination.total is 5"
    page["pagination"] = {"current": 5, "total": 5}
    assert find_evidence({}, page, 100, records=("items",)) is None


def test_headers_are_named_but_no_path_is_advised() -> None:
    found = find_evidence({"x-pagination": '{"TotalPages": 3}'}, R, 2)
    assert found is not None
    assert "by its headers, x-pagination.TotalPages is 3" in found.advice.replace('"', "")
    assert "last_page" not in found.advice
