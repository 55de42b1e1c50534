SELECT pg_catalog.set_config('search_path', '', false);

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.api_key (
    jurisdiction_id text NOT NULL,
    id bigint NOT NULL,
    digest bytea NOT NULL,
    label text NOT NULL,
    contact text DEFAULT ''::text NOT NULL,
    is_test boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

ALTER TABLE public.api_key ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.change_mark (
    jurisdiction_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    horizon xid8 NOT NULL
);

CREATE TABLE public.department (
    jurisdiction_id text NOT NULL,
    code text NOT NULL,
    name text NOT NULL
);

CREATE TABLE public.edition (
    jurisdiction_id text NOT NULL,
    edition text NOT NULL,
    rendered_until bigint DEFAULT 0 NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone
);

CREATE TABLE public.jurisdiction (
    jurisdiction_id text NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    changeset timestamp with time zone NOT NULL
);

CREATE TABLE public.publication (
    id bigint NOT NULL,
    digest bigint NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    written_by xid8 DEFAULT pg_current_xact_id() NOT NULL,
    has_media boolean DEFAULT false NOT NULL,
    was_public boolean NOT NULL,
    jurisdiction_id text NOT NULL,
    visibility text NOT NULL,
    json text NOT NULL,
    xml text NOT NULL,
    service_request_id text NOT NULL,
    service_code text NOT NULL,
    status text NOT NULL,
    agency text DEFAULT ''::text NOT NULL,
    json_extras text[] NOT NULL,
    xml_extras text[] NOT NULL,
    areas text[] DEFAULT '{}'::text[] NOT NULL,
    words tsvector NOT NULL,
    lat double precision,
    long double precision,
    point public.geometry(Point,4326),
    bulk_csv text NOT NULL,
    CONSTRAINT publication_instants_check CHECK (((requested_at <= updated_at) AND (updated_at <= changed_at)))
)
WITH (toast_tuple_target='8160');

CREATE TABLE public.repeatable_post (
    jurisdiction_id text NOT NULL,
    api_key_id bigint NOT NULL,
    client_key text NOT NULL,
    digest bytea NOT NULL,
    request_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.reporter (
    jurisdiction_id text NOT NULL,
    request_id bigint NOT NULL,
    email text DEFAULT ''::text NOT NULL,
    first_name text DEFAULT ''::text NOT NULL,
    last_name text DEFAULT ''::text NOT NULL,
    phone text DEFAULT ''::text NOT NULL,
    device_id text DEFAULT ''::text NOT NULL,
    account_id text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.request_event (
    jurisdiction_id text NOT NULL,
    id bigint NOT NULL,
    request_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    visibility text DEFAULT 'staff'::text NOT NULL,
    description text DEFAULT ''::text NOT NULL
);

ALTER TABLE public.request_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.request_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE public.request_number
    START WITH 1
    INCREMENT BY 16
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.request_token (
    jurisdiction_id text NOT NULL,
    token text NOT NULL,
    request_id bigint NOT NULL,
    service_request_id text DEFAULT ''::text NOT NULL,
    failure text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.service (
    jurisdiction_id text NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    group_name text DEFAULT ''::text NOT NULL,
    is_active boolean DEFAULT true NOT NULL
);

CREATE TABLE public.service_request (
    jurisdiction_id text NOT NULL,
    id bigint NOT NULL,
    service_request_id text,
    service_code text NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    detailed_status text DEFAULT ''::text NOT NULL,
    outcome text DEFAULT ''::text NOT NULL,
    status_notes text DEFAULT ''::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    department text DEFAULT ''::text NOT NULL,
    agency_responsible text DEFAULT ''::text NOT NULL,
    route_reason text DEFAULT ''::text NOT NULL,
    is_triage boolean DEFAULT false NOT NULL,
    service_notice text DEFAULT ''::text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    expected_at timestamp with time zone,
    lat double precision,
    long double precision,
    point public.geometry(Point,4326),
    address text DEFAULT ''::text NOT NULL,
    address_id text DEFAULT ''::text NOT NULL,
    zipcode text DEFAULT ''::text NOT NULL,
    is_outside boolean DEFAULT false NOT NULL,
    areas text[] DEFAULT '{}'::text[] NOT NULL,
    media_urls text[] DEFAULT '{}'::text[] NOT NULL,
    answers jsonb DEFAULT '[]'::jsonb NOT NULL,
    visibility text DEFAULT 'public'::text NOT NULL,
    source text DEFAULT 'api'::text NOT NULL,
    channel text DEFAULT ''::text NOT NULL,
    possible_duplicate_of text DEFAULT ''::text NOT NULL
);

INSERT INTO public.alembic_version (version_num) VALUES
	('0002');

INSERT INTO public.api_key (jurisdiction_id, id, digest, label, contact, is_test, created_at, revoked_at) OVERRIDING SYSTEM VALUE VALUES
	('*', 1, '\x84c049c47e3d367a24781e92b0d99ad4931bdd064a2fbd14f09e9a7e47c8cc96', 'FixIt app', 'dev@fixit.example.org', false, '2026-03-02 09:00:00+00', NULL),
	('*', 2, '\x44c0202f0d9c4d186ae77641aa07fa394720804cc15e55ce5ba0232d92acca99', 'FixIt, trying out', '', true, '2026-03-02 10:00:00+00', NULL),
	('hamlet.example', 3, '\xddb06734a43dd0c7a5b4d82fbcb59e0b10065fdf39c3467144f823bd6a8942cc', 'Hamlet''s own', '', false, '2026-03-02 11:00:00+00', NULL),
	('*', 4, '\x223a71e7f5d7b50343f4056a968fa023a2e37a8b4aec166f7d475601a2379fb2', 'Lost key', '', false, '2026-03-02 12:00:00+00', '2026-03-02 13:00:00+00');

INSERT INTO public.change_mark (jurisdiction_id, at, horizon) VALUES
	('oldtown.example', '2026-03-02 17:01:00+00', '752'),
	('hamlet.example', '2026-03-02 17:01:00+00', '752'),
	('oldtown.example', '2026-03-04 12:01:00+00', '777'),
	('hamlet.example', '2026-03-04 12:01:00+00', '777');

INSERT INTO public.department (jurisdiction_id, code, name) VALUES
	('hamlet.example', 'all', 'The Council'),
	('oldtown.example', 'streets', 'Street Works'),
	('oldtown.example', 'cleaning', 'City Cleaning'),
	('oldtown.example', 'parks', 'Parks'),
	('oldtown.example', 'port', 'Port of Oldtown'),
	('oldtown.example', 'desk', 'Citizens'' Desk');

INSERT INTO public.edition (jurisdiction_id, edition, rendered_until, begun_at, finished_at) VALUES
	('hamlet.example', '1-a3e65f0c0776e38a', 0, '2026-03-02 08:00:00+00', '2026-03-02 08:00:00+00'),
	('oldtown.example', '1-4d72c2b4321a4340', 7, '2026-03-03 17:00:00+00', '2026-03-03 18:00:00+00');

INSERT INTO public.jurisdiction (jurisdiction_id, name, digest, changeset) VALUES
	('hamlet.example', 'Hamlet', '4a0a58b77a8ad6b1b3aff00c72f7d91bb890447cd337d4b530caa90bee7703ba', '2026-03-02 08:00:00+00'),
	('oldtown.example', 'Oldtown', '309c6a17b627e9ef06dff5ec3f1767b67be857ce0d3258ef6c53ebaab78f80c3', '2026-03-03 17:00:00+00');

INSERT INTO public.publication (id, digest, requested_at, updated_at, changed_at, written_by, has_media, was_public, jurisdiction_id, visibility, json, xml, service_request_id, service_code, status, agency, json_extras, xml_extras, areas, words, lat, long, point, bulk_csv) VALUES
	(1, -2490549900361302309, '2025-12-08 18:16:19+00', '2025-12-28 13:50:49+00', '2025-12-28 13:50:49+00', '743', false, true, 'hamlet.example', 'public', '{"service_request_id":"1","status":"closed","status_notes":"A crew looked and found nothing to do.","service_name":"Snow","service_code":"snow","description":"Example 1: Snow","agency_responsible":"The Council","service_notice":null,"requested_datetime":"2025-12-08T18:16:19Z","updated_datetime":"2025-12-28T13:50:49Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":50.049423,"long":10.073831,"media_url":null}', '<request><service_request_id>1</service_request_id><status>closed</status><status_notes>A crew looked and found nothing to do.</status_notes><service_name>Snow</service_name><service_code>snow</service_code><description>Example 1: Snow</description><agency_responsible>The Council</agency_responsible><service_notice/><requested_datetime>2025-12-08T18:16:19Z</requested_datetime><updated_datetime>2025-12-28T13:50:49Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>50.049423</lat><long>10.073831</long><media_url/></request>', '1', 'snow', 'closed', 'The Council', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":null,\"closed_datetime\":\"2025-12-28T13:50:49Z\",\"department\":\"all\",\"group\":null,\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel/><closed_datetime>2025-12-28T13:50:49Z</closed_datetime><department>all</department><group/><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes/>,<attributes/>}', '{}', '''1'':3 ''crew'':6 ''exampl'':2 ''found'':9 ''look'':7 ''noth'':10 ''snow'':1,4', 50.049423, 10.073831, '0101000020E6100000A9DC442DCD252440C9552C7E53064940', '1,2025-12-08T18:16:19Z,2025-12-28T13:50:49Z,2025-12-28T13:50:49Z,Closed,A crew looked and found nothing to do.,,Snow,,Example 1: Snow,The Council,,50.049423,10.073831'),
	(2, -7345591909499025894, '2025-12-24 17:28:59+00', '2025-12-26 19:17:14+00', '2025-12-26 19:17:14+00', '743', false, true, 'hamlet.example', 'public', '{"service_request_id":"2","status":"closed","status_notes":"The work is done.","service_name":"Snow","service_code":"snow","description":"Example 2: Snow","agency_responsible":"The Council","service_notice":null,"requested_datetime":"2025-12-24T17:28:59Z","updated_datetime":"2025-12-26T19:17:14Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":50.042035,"long":10.066827,"media_url":null}', '<request><service_request_id>2</service_request_id><status>closed</status><status_notes>The work is done.</status_notes><service_name>Snow</service_name><service_code>snow</service_code><description>Example 2: Snow</description><agency_responsible>The Council</agency_responsible><service_notice/><requested_datetime>2025-12-24T17:28:59Z</requested_datetime><updated_datetime>2025-12-26T19:17:14Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>50.042035</lat><long>10.066827</long><media_url/></request>', '2', 'snow', 'closed', 'The Council', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":null,\"closed_datetime\":\"2025-12-26T19:17:14Z\",\"department\":\"all\",\"group\":null,\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel/><closed_datetime>2025-12-26T19:17:14Z</closed_datetime><department>all</department><group/><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes/>,<attributes/>}', '{}', '''2'':3 ''done'':8 ''exampl'':2 ''snow'':1,4 ''work'':6', 50.042035, 10.066827, '0101000020E6100000C6FA062637222440C824236761054940', '2,2025-12-24T17:28:59Z,2025-12-26T19:17:14Z,2025-12-26T19:17:14Z,Closed,The work is done.,,Snow,,Example 2: Snow,The Council,,50.042035,10.066827'),
	(3, -39462965725887632, '2026-02-02 14:07:23+00', '2026-02-02 23:16:53+00', '2026-02-02 23:16:53+00', '743', false, true, 'hamlet.example', 'public', '{"service_request_id":"3","status":"closed","status_notes":"Passed on to the owner of the property.","service_name":"Snow","service_code":"snow","description":"Example 3: Snow","agency_responsible":"The Council","service_notice":null,"requested_datetime":"2026-02-02T14:07:23Z","updated_datetime":"2026-02-02T23:16:53Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":50.046581,"long":10.041068,"media_url":null}', '<request><service_request_id>3</service_request_id><status>closed</status><status_notes>Passed on to the owner of the property.</status_notes><service_name>Snow</service_name><service_code>snow</service_code><description>Example 3: Snow</description><agency_responsible>The Council</agency_responsible><service_notice/><requested_datetime>2026-02-02T14:07:23Z</requested_datetime><updated_datetime>2026-02-02T23:16:53Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>50.046581</lat><long>10.041068</long><media_url/></request>', '3', 'snow', 'closed', 'The Council', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":null,\"closed_datetime\":\"2026-02-02T23:16:53Z\",\"department\":\"all\",\"group\":null,\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel/><closed_datetime>2026-02-02T23:16:53Z</closed_datetime><department>all</department><group/><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes/>,<attributes/>}', '{}', '''3'':3 ''exampl'':2 ''owner'':9 ''pass'':5 ''properti'':12 ''snow'':1,4', 50.046581, 10.041068, '0101000020E610000002D369DD06152440B8CEBF5DF6054940', '3,2026-02-02T14:07:23Z,2026-02-02T23:16:53Z,2026-02-02T23:16:53Z,Closed,Passed on to the owner of the property.,,Snow,,Example 3: Snow,The Council,,50.046581,10.041068'),
	(5, -4073588220840608459, '2026-03-02 15:00:00+00', '2026-03-02 15:00:00+00', '2026-03-02 15:00:00+00', '757', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000005","status":"open","status_notes":null,"service_name":"Pothole","service_code":"potholes","description":"Between the old wards and the new.","agency_responsible":"Street Works","service_notice":"Mended within ten days.","requested_datetime":"2026-03-02T15:00:00Z","updated_datetime":"2026-03-02T15:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.195,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000005</service_request_id><status>open</status><status_notes/><service_name>Pothole</service_name><service_code>potholes</service_code><description>Between the old wards and the new.</description><agency_responsible>Street Works</agency_responsible><service_notice>Mended within ten days.</service_notice><requested_datetime>2026-03-02T15:00:00Z</requested_datetime><updated_datetime>2026-03-02T15:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.195</lat><long>24.9414</long><media_url/></request>', '2026-000005', 'potholes', 'open', 'Street Works', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"streets\",\"group\":\"Streets\",\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-02T15:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>streets</department><group>Streets</group><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-02T15:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{}', '''new'':8 ''old'':4 ''pothol'':1 ''ward'':5', 60.195, 24.9414, '0101000020E610000054742497FFF03840295C8FC2F5184E40', '2026-000005,2026-03-02T15:00:00Z,2026-03-02T15:00:00Z,,Open,,api,Pothole,,Between the old wards and the new.,Street Works,,60.195,24.9414'),
	(4, 8925969406057104101, '2026-03-02 14:00:00+00', '2026-03-02 14:00:00+00', '2026-03-02 14:00:00+00', '755', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000004","status":"open","status_notes":null,"service_name":"Public well","service_code":"wells","description":"The pump is stuck.","agency_responsible":"Street Works","service_notice":null,"requested_datetime":"2026-03-02T14:00:00Z","updated_datetime":"2026-03-02T14:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.1718,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000004</service_request_id><status>open</status><status_notes/><service_name>Public well</service_name><service_code>wells</service_code><description>The pump is stuck.</description><agency_responsible>Street Works</agency_responsible><service_notice/><requested_datetime>2026-03-02T14:00:00Z</requested_datetime><updated_datetime>2026-03-02T14:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.1718</lat><long>24.9414</long><media_url/></request>', '2026-000004', 'wells', 'open', 'Street Works', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"streets\",\"group\":null,\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-02T14:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>streets</department><group/><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-02T14:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{}', '''public'':1 ''pump'':4 ''stuck'':6 ''well'':2', 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '2026-000004,2026-03-02T14:00:00Z,2026-03-02T14:00:00Z,,Open,,api,Public well,,The pump is stuck.,Street Works,,60.1718,24.9414'),
	(6, 8434075818080727688, '2026-02-20 10:00:00+00', '2026-02-22 10:00:00+00', '2026-02-22 10:00:00+00', '751', false, true, 'oldtown.example', 'public', '{"service_request_id":"A-1","status":"closed","status_notes":"Filled.","service_name":"Pothole","service_code":"potholes","description":"By the station","agency_responsible":"Roads Agency","service_notice":null,"requested_datetime":"2026-02-20T10:00:00Z","updated_datetime":"2026-02-22T10:00:00Z","expected_datetime":null,"address":"1 Station Road","address_id":null,"zipcode":"00100","lat":60.17,"long":24.94,"media_url":null}', '<request><service_request_id>A-1</service_request_id><status>closed</status><status_notes>Filled.</status_notes><service_name>Pothole</service_name><service_code>potholes</service_code><description>By the station</description><agency_responsible>Roads Agency</agency_responsible><service_notice/><requested_datetime>2026-02-20T10:00:00Z</requested_datetime><updated_datetime>2026-02-22T10:00:00Z</updated_datetime><expected_datetime/><address>1 Station Road</address><address_id/><zipcode>00100</zipcode><lat>60.17</lat><long>24.94</long><media_url/></request>', 'A-1', 'potholes', 'closed', 'Roads Agency', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":null,\"closed_datetime\":\"2026-02-22T10:00:00Z\",\"department\":null,\"group\":\"Streets\",\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel/><closed_datetime>2026-02-22T10:00:00Z</closed_datetime><department/><group>Streets</group><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes/>,<attributes/>}', '{}', '''1'':6 ''fill'':5 ''pothol'':1 ''road'':8 ''station'':4,7', 60.17, 24.94, '0101000020E6100000713D0AD7A3F03840F6285C8FC2154E40', 'A-1,2026-02-20T10:00:00Z,2026-02-22T10:00:00Z,2026-02-22T10:00:00Z,Closed,Filled.,,Pothole,,By the station,Roads Agency,1 Station Road,60.17,24.94'),
	(19, -8368009950381801, '2026-03-03 22:00:00+00', '2026-03-03 22:00:00+00', '2026-03-03 22:00:00+00', '760', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000019","status":"open","status_notes":null,"service_name":"Pothole","service_code":"potholes","description":"On the quay","agency_responsible":"Port of Oldtown","service_notice":"Mended within ten days.","requested_datetime":"2026-03-03T22:00:00Z","updated_datetime":"2026-03-03T22:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.12,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000019</service_request_id><status>open</status><status_notes/><service_name>Pothole</service_name><service_code>potholes</service_code><description>On the quay</description><agency_responsible>Port of Oldtown</agency_responsible><service_notice>Mended within ten days.</service_notice><requested_datetime>2026-03-03T22:00:00Z</requested_datetime><updated_datetime>2026-03-03T22:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.12</lat><long>24.9414</long><media_url/></request>', '2026-000019', 'potholes', 'open', 'Port of Oldtown', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"port\",\"group\":\"Streets\",\"areas\":[\"Harbour\"],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-03T22:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>port</department><group>Streets</group><areas><area>Harbour</area></areas><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-03T22:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{Harbour}', '''pothol'':1 ''quay'':4', 60.12, 24.9414, '0101000020E610000054742497FFF038408FC2F5285C0F4E40', '2026-000019,2026-03-03T22:00:00Z,2026-03-03T22:00:00Z,,Open,,api,Pothole,,On the quay,Port of Oldtown,,60.12,24.9414'),
	(18, 0, '2026-03-03 21:00:00+00', '2026-03-04 14:00:00+00', '2026-03-04 14:00:00+00', '779', false, true, 'oldtown.example', 'withdrawn', '', '', '2026-000018', 'potholes', 'open', '', '{}', '{}', '{}', '', NULL, NULL, NULL, ''),
	(20, 6201223396321980816, '2026-03-03 23:00:00+00', '2026-03-03 23:00:00+00', '2026-03-03 23:00:00+00', '761', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000020","status":"open","status_notes":null,"service_name":"Pothole","service_code":"potholes","description":"Far out","agency_responsible":"Street Works","service_notice":"Mended within ten days.","requested_datetime":"2026-03-03T23:00:00Z","updated_datetime":"2026-03-03T23:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":61.5,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000020</service_request_id><status>open</status><status_notes/><service_name>Pothole</service_name><service_code>potholes</service_code><description>Far out</description><agency_responsible>Street Works</agency_responsible><service_notice>Mended within ten days.</service_notice><requested_datetime>2026-03-03T23:00:00Z</requested_datetime><updated_datetime>2026-03-03T23:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>61.5</lat><long>24.9414</long><media_url/></request>', '2026-000020', 'potholes', 'open', 'Street Works', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"streets\",\"group\":\"Streets\",\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-03T23:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>streets</department><group>Streets</group><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-03T23:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{}', '''far'':2 ''pothol'':1', 61.5, 24.9414, '0101000020E610000054742497FFF038400000000000C04E40', '2026-000020,2026-03-03T23:00:00Z,2026-03-03T23:00:00Z,,Open,,api,Pothole,,Far out,Street Works,,61.5,24.9414'),
	(23, -1500572453034964036, '2026-03-04 02:00:00+00', '2026-03-04 02:00:00+00', '2026-03-04 02:00:00+00', '764', false, false, 'oldtown.example', 'unlisted', '{"service_request_id":"2026-000023","status":"open","status_notes":null,"service_name":"Pothole","service_code":"potholes","description":"Only a test","agency_responsible":null,"service_notice":"Mended within ten days.","requested_datetime":"2026-03-04T02:00:00Z","updated_datetime":"2026-03-04T02:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.1718,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000023</service_request_id><status>open</status><status_notes/><service_name>Pothole</service_name><service_code>potholes</service_code><description>Only a test</description><agency_responsible/><service_notice>Mended within ten days.</service_notice><requested_datetime>2026-03-04T02:00:00Z</requested_datetime><updated_datetime>2026-03-04T02:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.1718</lat><long>24.9414</long><media_url/></request>', '2026-000023', 'potholes', 'open', '', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":null,\"group\":\"Streets\",\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-04T02:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department/><group>Streets</group><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-04T02:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{}', '''pothol'':1 ''test'':4', 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '2026-000023,2026-03-04T02:00:00Z,2026-03-04T02:00:00Z,,Open,,api,Pothole,,Only a test,,,60.1718,24.9414'),
	(25, -7868933933687653156, '2026-03-04 04:00:00+00', '2026-03-04 04:00:00+00', '2026-03-04 04:00:00+00', '766', false, true, 'hamlet.example', 'public', '{"service_request_id":"25","status":"open","status_notes":null,"service_name":"Snow","service_code":"snow","description":null,"agency_responsible":"The Council","service_notice":null,"requested_datetime":"2026-03-04T04:00:00Z","updated_datetime":"2026-03-04T04:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":50.05,"long":10.05,"media_url":null}', '<request><service_request_id>25</service_request_id><status>open</status><status_notes/><service_name>Snow</service_name><service_code>snow</service_code><description/><agency_responsible>The Council</agency_responsible><service_notice/><requested_datetime>2026-03-04T04:00:00Z</requested_datetime><updated_datetime>2026-03-04T04:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>50.05</lat><long>10.05</long><media_url/></request>', '25', 'snow', 'open', 'The Council', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"all\",\"group\":null,\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-04T04:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>all</department><group/><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-04T04:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{}', '''snow'':1', 50.05, 10.05, '0101000020E61000009A999999991924406666666666064940', '25,2026-03-04T04:00:00Z,2026-03-04T04:00:00Z,,Open,,api,Snow,,,The Council,,50.05,10.05'),
	(26, -1782357274166937746, '2026-03-04 05:00:00+00', '2026-03-04 05:00:00+00', '2026-03-04 09:00:00+00', '772', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000026","status":"open","status_notes":null,"service_name":"Tree & shrub","service_code":"trees","description":"A branch hangs low.","agency_responsible":"Parks","service_notice":null,"requested_datetime":"2026-03-04T05:00:00Z","updated_datetime":"2026-03-04T05:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.1718,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000026</service_request_id><status>open</status><status_notes/><service_name>Tree &amp; shrub</service_name><service_code>trees</service_code><description>A branch hangs low.</description><agency_responsible>Parks</agency_responsible><service_notice/><requested_datetime>2026-03-04T05:00:00Z</requested_datetime><updated_datetime>2026-03-04T05:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.1718</lat><long>24.9414</long><media_url/></request>', '2026-000026', 'trees', 'open', 'Parks', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"parks\",\"group\":\"Parks\",\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-04T05:00:00Z\",\"type\":\"received\",\"description\":\"\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>parks</department><group>Parks</group><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-04T05:00:00Z</datetime><type>received</type><description/></note></notes>,<attributes/>}', '{}', '''branch'':4 ''hang'':5 ''low'':6 ''shrub'':2 ''tree'':1', 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '2026-000026,2026-03-04T05:00:00Z,2026-03-04T05:00:00Z,,Open,,api,Tree & shrub,,A branch hangs low.,Parks,,60.1718,24.9414'),
	(17, -786147907990501187, '2026-03-03 20:00:00+00', '2026-03-04 13:00:00+00', '2026-03-04 13:00:00+00', '778', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000017","status":"closed","status_notes":"Filled with asphalt.","service_name":"Pothole","service_code":"potholes","description":"Deep & wide <careful>","agency_responsible":"Street Works","service_notice":"Mended within ten days.","requested_datetime":"2026-03-03T20:00:00Z","updated_datetime":"2026-03-04T13:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.1718,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000017</service_request_id><status>closed</status><status_notes>Filled with asphalt.</status_notes><service_name>Pothole</service_name><service_code>potholes</service_code><description>Deep &amp; wide &lt;careful&gt;</description><agency_responsible>Street Works</agency_responsible><service_notice>Mended within ten days.</service_notice><requested_datetime>2026-03-03T20:00:00Z</requested_datetime><updated_datetime>2026-03-04T13:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.1718</lat><long>24.9414</long><media_url/></request>', '2026-000017', 'potholes', 'closed', 'Street Works', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":\"2026-03-04T13:00:00Z\",\"department\":\"streets\",\"group\":\"Streets\",\"areas\":[],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-03T20:00:00Z\",\"type\":\"received\",\"description\":\"\"},{\"datetime\":\"2026-03-04T13:00:00Z\",\"type\":\"status\",\"description\":\"closed\"},{\"datetime\":\"2026-03-04T13:00:00Z\",\"type\":\"note\",\"description\":\"Filled with asphalt.\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime>2026-03-04T13:00:00Z</closed_datetime><department>streets</department><group>Streets</group><areas/><media_urls/><possible_duplicate_of/></extended_attributes>,"<notes><note><datetime>2026-03-03T20:00:00Z</datetime><type>received</type><description/></note><note><datetime>2026-03-04T13:00:00Z</datetime><type>status</type><description>closed</description></note><note><datetime>2026-03-04T13:00:00Z</datetime><type>note</type><description>Filled with asphalt.</description></note></notes>",<attributes/>}', '{}', '''asphalt'':6 ''deep'':2 ''fill'':4 ''pothol'':1 ''wide'':3', 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '2026-000017,2026-03-03T20:00:00Z,2026-03-04T13:00:00Z,2026-03-04T13:00:00Z,Closed,Filled with asphalt.,api,Pothole,,Deep & wide <careful>,Street Works,,60.1718,24.9414'),
	(21, 6017652603941206926, '2026-03-04 00:00:00+00', '2026-03-04 15:00:00+00', '2026-03-04 15:00:00+00', '780', true, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000021","status":"open","status_notes":null,"service_name":"Graffiti","service_code":"graffiti","description":null,"agency_responsible":"Street Works","service_notice":null,"requested_datetime":"2026-03-04T00:00:00Z","updated_datetime":"2026-03-04T15:00:00Z","expected_datetime":"2026-03-19T00:00:00Z","address":"5 Mill Lane","address_id":null,"zipcode":null,"lat":null,"long":null,"media_url":"https://pictures.example.org/wall.jpg"}', '<request><service_request_id>2026-000021</service_request_id><status>open</status><status_notes/><service_name>Graffiti</service_name><service_code>graffiti</service_code><description/><agency_responsible>Street Works</agency_responsible><service_notice/><requested_datetime>2026-03-04T00:00:00Z</requested_datetime><updated_datetime>2026-03-04T15:00:00Z</updated_datetime><expected_datetime>2026-03-19T00:00:00Z</expected_datetime><address>5 Mill Lane</address><address_id/><zipcode/><lat/><long/><media_url>https://pictures.example.org/wall.jpg</media_url></request>', '2026-000021', 'graffiti', 'open', 'Street Works', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"streets\",\"group\":\"Cleaning\",\"areas\":[],\"media_urls\":[\"https://pictures.example.org/wall.jpg\",\"https://pictures.example.org/wall-2.jpg\"],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-04T00:00:00Z\",\"type\":\"received\",\"description\":\"\"},{\"datetime\":\"2026-03-04T15:00:00Z\",\"type\":\"transferred\",\"description\":\"Street Works\"}]","\"attributes\":[{\"code\":\"SURFACE\",\"label\":\"What is it painted on?\",\"value\":\"brick\",\"name\":\"Brick\"},{\"code\":\"TAGS\",\"label\":\"Which apply?\",\"value\":\"a\",\"name\":\"Offensive\"},{\"code\":\"TAGS\",\"label\":\"Which apply?\",\"value\":\"b\",\"name\":\"Covers a sign\"}]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>streets</department><group>Cleaning</group><areas/><media_urls><media_url>https://pictures.example.org/wall.jpg</media_url><media_url>https://pictures.example.org/wall-2.jpg</media_url></media_urls><possible_duplicate_of/></extended_attributes>,"<notes><note><datetime>2026-03-04T00:00:00Z</datetime><type>received</type><description/></note><note><datetime>2026-03-04T15:00:00Z</datetime><type>transferred</type><description>Street Works</description></note></notes>","<attributes><attribute><code>SURFACE</code><label>What is it painted on?</label><value>brick</value><name>Brick</name></attribute><attribute><code>TAGS</code><label>Which apply?</label><value>a</value><name>Offensive</name></attribute><attribute><code>TAGS</code><label>Which apply?</label><value>b</value><name>Covers a sign</name></attribute></attributes>"}', '{}', '''5'':2 ''graffiti'':1 ''lane'':4 ''mill'':3', NULL, NULL, NULL, '2026-000021,2026-03-04T00:00:00Z,2026-03-04T15:00:00Z,,Open,,api,Graffiti,,,Street Works,5 Mill Lane,,'),
	(22, -5812724392762951596, '2026-03-04 01:00:00+00', '2026-03-04 17:00:00+00', '2026-03-04 17:00:00+00', '782', false, true, 'oldtown.example', 'public', '{"service_request_id":"2026-000022","status":"open","status_notes":"Dark again.","service_name":"Straßenlampe ☂","service_code":"Lamps: dark/lit","description":"Dunkel 🙂 seit Tagen","agency_responsible":"Street Works","service_notice":null,"requested_datetime":"2026-03-04T01:00:00Z","updated_datetime":"2026-03-04T17:00:00Z","expected_datetime":null,"address":null,"address_id":null,"zipcode":null,"lat":60.25,"long":24.9414,"media_url":null}', '<request><service_request_id>2026-000022</service_request_id><status>open</status><status_notes>Dark again.</status_notes><service_name>Straßenlampe ☂</service_name><service_code>Lamps: dark/lit</service_code><description>Dunkel 🙂 seit Tagen</description><agency_responsible>Street Works</agency_responsible><service_notice/><requested_datetime>2026-03-04T01:00:00Z</requested_datetime><updated_datetime>2026-03-04T17:00:00Z</updated_datetime><expected_datetime/><address/><address_id/><zipcode/><lat>60.25</lat><long>24.9414</long><media_url/></request>', '2026-000022', 'Lamps: dark/lit', 'open', 'Street Works', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":\"api\",\"closed_datetime\":null,\"department\":\"streets\",\"group\":\"Streets\",\"areas\":[\"North\"],\"media_urls\":[],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-04T01:00:00Z\",\"type\":\"received\",\"description\":\"\"},{\"datetime\":\"2026-03-04T16:00:00Z\",\"type\":\"status\",\"description\":\"closed\"},{\"datetime\":\"2026-03-04T16:00:00Z\",\"type\":\"note\",\"description\":\"A new bulb.\"},{\"datetime\":\"2026-03-04T17:00:00Z\",\"type\":\"status\",\"description\":\"open\"},{\"datetime\":\"2026-03-04T17:00:00Z\",\"type\":\"note\",\"description\":\"Dark again.\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel>api</channel><closed_datetime/><department>streets</department><group>Streets</group><areas><area>North</area></areas><media_urls/><possible_duplicate_of/></extended_attributes>,"<notes><note><datetime>2026-03-04T01:00:00Z</datetime><type>received</type><description/></note><note><datetime>2026-03-04T16:00:00Z</datetime><type>status</type><description>closed</description></note><note><datetime>2026-03-04T16:00:00Z</datetime><type>note</type><description>A new bulb.</description></note><note><datetime>2026-03-04T17:00:00Z</datetime><type>status</type><description>open</description></note><note><datetime>2026-03-04T17:00:00Z</datetime><type>note</type><description>Dark again.</description></note></notes>",<attributes/>}', '{North}', '''dark'':5 ''dunkel'':2 ''seit'':3 ''strassenlamp'':1 ''tagen'':4', 60.25, 24.9414, '0101000020E610000054742497FFF038400000000000204E40', '2026-000022,2026-03-04T01:00:00Z,2026-03-04T17:00:00Z,,Open,Dark again.,api,Straßenlampe ☂,,Dunkel 🙂 seit Tagen,Street Works,,60.25,24.9414'),
	(7, -5434731018578379404, '2026-02-21 10:00:00+00', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', '783', true, true, 'oldtown.example', 'public', '{"service_request_id":"A-2","status":"closed","status_notes":"Oiled.","service_name":"Bridges (2019)","service_code":"bridges","description":"It creaks","agency_responsible":null,"service_notice":null,"requested_datetime":"2026-02-21T10:00:00Z","updated_datetime":"2026-03-01T10:00:00Z","expected_datetime":"2026-04-01T10:00:00Z","address":null,"address_id":null,"zipcode":null,"lat":null,"long":null,"media_url":"https://pictures.example.org/bridge.jpg"}', '<request><service_request_id>A-2</service_request_id><status>closed</status><status_notes>Oiled.</status_notes><service_name>Bridges (2019)</service_name><service_code>bridges</service_code><description>It creaks</description><agency_responsible/><service_notice/><requested_datetime>2026-02-21T10:00:00Z</requested_datetime><updated_datetime>2026-03-01T10:00:00Z</updated_datetime><expected_datetime>2026-04-01T10:00:00Z</expected_datetime><address/><address_id/><zipcode/><lat/><long/><media_url>https://pictures.example.org/bridge.jpg</media_url></request>', 'A-2', 'bridges', 'closed', '', '{"\"extended_attributes\":{\"detailed_status\":null,\"outcome\":null,\"channel\":null,\"closed_datetime\":\"2026-03-01T10:00:00Z\",\"department\":null,\"group\":null,\"areas\":[],\"media_urls\":[\"https://pictures.example.org/bridge.jpg\"],\"possible_duplicate_of\":null}","\"notes\":[{\"datetime\":\"2026-03-01T10:00:00Z\",\"type\":\"status\",\"description\":\"closed\"},{\"datetime\":\"2026-03-01T10:00:00Z\",\"type\":\"note\",\"description\":\"Oiled.\"}]","\"attributes\":[]"}', '{<extended_attributes><detailed_status/><outcome/><channel/><closed_datetime>2026-03-01T10:00:00Z</closed_datetime><department/><group/><areas/><media_urls><media_url>https://pictures.example.org/bridge.jpg</media_url></media_urls><possible_duplicate_of/></extended_attributes>,<notes><note><datetime>2026-03-01T10:00:00Z</datetime><type>status</type><description>closed</description></note><note><datetime>2026-03-01T10:00:00Z</datetime><type>note</type><description>Oiled.</description></note></notes>,<attributes/>}', '{}', '''2019'':2 ''bridg'':1 ''creak'':4 ''oil'':5', NULL, NULL, NULL, 'A-2,2026-02-21T10:00:00Z,2026-03-01T10:00:00Z,2026-03-01T10:00:00Z,Closed,Oiled.,,Bridges (2019),,It creaks,,,,');

INSERT INTO public.repeatable_post (jurisdiction_id, api_key_id, client_key, digest, request_id, created_at) VALUES
	('oldtown.example', 1, 'fixit-1', '\xe8f45ea8560dcb037deebd46c2bdc0d6244c06622d6f6a50d68d6f958338b484', 21, '2026-03-04 00:00:00+00'),
	('oldtown.example', 1, 'tree-1', '\xbd9575d665d01ac2a467db9eaba25b377a66cc79c47a6b961fc92a047fefb124', 26, '2026-03-04 05:00:00+00'),
	('oldtown.example', 1, 'tree-2', '\x2ac6c9c128f3ee3e2e21a1fe8b09dc41df0f1a63fd8a3c25c8313e2a6c3604b2', 27, '2026-03-04 06:00:00+00'),
	('oldtown.example', 1, 'tree-3', '\x3ad2ca88b5f8a3ace429c162db6d02c65eb98d1f159e2060311c1f7b45df1999', 28, '2026-03-04 07:00:00+00'),
	('oldtown.example', 1, 'tree-4', '\x38e17c6eb96e5640865e8d2a9ef414973cce21ad03f331bfc1ff8daf64406644', 29, '2026-03-04 08:00:00+00');

INSERT INTO public.reporter (jurisdiction_id, request_id, email, first_name, last_name, phone, device_id, account_id) VALUES
	('oldtown.example', 17, 'maya@example.org', 'Maya', 'Example', '+1 555 0100', '', 'maya-7'),
	('oldtown.example', 21, 'ada@example.org', 'Ada', 'Example', '+1 555 0100', '', 'ada-1'),
	('oldtown.example', 24, 'maya@example.org', 'Maya', 'Example', '+1 555 0100', '', 'maya-7'),
	('oldtown.example', 26, 'maya@example.org', 'Maya', 'Example', '+1 555 0100', '', 'maya-7'),
	('oldtown.example', 27, 'maya@example.org', 'Maya', 'Example', '+1 555 0100', '', 'maya-7'),
	('oldtown.example', 28, 'maya@example.org', 'Maya', 'Example', '+1 555 0100', '', 'maya-7'),
	('oldtown.example', 29, 'maya@example.org', 'Maya', 'Example', '+1 555 0100', '', 'maya-7');

INSERT INTO public.request_event (jurisdiction_id, id, request_id, at, kind, visibility, description) OVERRIDING SYSTEM VALUE VALUES
	('hamlet.example', 1, 1, '2025-12-08 18:16:19+00', 'example', 'staff', ''),
	('hamlet.example', 2, 2, '2025-12-24 17:28:59+00', 'example', 'staff', ''),
	('hamlet.example', 3, 3, '2026-02-02 14:07:23+00', 'example', 'staff', ''),
	('oldtown.example', 4, 4, '2026-03-02 14:00:00+00', 'received', 'public', ''),
	('oldtown.example', 5, 4, '2026-03-02 14:00:00+00', 'routed', 'staff', 'streets (table: wells)'),
	('oldtown.example', 6, 5, '2026-03-02 15:00:00+00', 'received', 'public', ''),
	('oldtown.example', 7, 5, '2026-03-02 15:00:00+00', 'routed', 'staff', 'streets (table: potholes)'),
	('oldtown.example', 8, 6, '2026-03-02 16:00:00+00', 'imported', 'staff', 'archive.csv, row 1; an old service code: the living one; its service_code there: pothole'),
	('oldtown.example', 9, 7, '2026-03-02 16:00:00+00', 'imported', 'staff', 'archive.csv, row 2; control characters in a text: taken out; a media_url that is no public web address: left out; a service that the catalogue lacks: kept, with its name, as a retired one'),
	('oldtown.example', 10, 5, '2026-03-03 19:00:00+00', 'areas', 'staff', 'was: North'),
	('oldtown.example', 11, 17, '2026-03-03 20:00:00+00', 'received', 'public', ''),
	('oldtown.example', 12, 17, '2026-03-03 20:00:00+00', 'routed', 'staff', 'streets (table: potholes)'),
	('oldtown.example', 13, 18, '2026-03-03 21:00:00+00', 'received', 'public', ''),
	('oldtown.example', 14, 18, '2026-03-03 21:00:00+00', 'routed', 'staff', 'streets (table: potholes)'),
	('oldtown.example', 15, 19, '2026-03-03 22:00:00+00', 'received', 'public', ''),
	('oldtown.example', 16, 19, '2026-03-03 22:00:00+00', 'routed', 'staff', 'port (service potholes, in area Harbour)'),
	('oldtown.example', 17, 20, '2026-03-03 23:00:00+00', 'received', 'public', ''),
	('oldtown.example', 18, 20, '2026-03-03 23:00:00+00', 'routed', 'staff', 'streets (table: potholes)'),
	('oldtown.example', 19, 20, '2026-03-03 23:00:00+00', 'note', 'staff', 'The point lies outside the boundary.'),
	('oldtown.example', 20, 21, '2026-03-04 00:00:00+00', 'received', 'public', ''),
	('oldtown.example', 21, 21, '2026-03-04 00:00:00+00', 'routed', 'staff', 'cleaning (table: graffiti)'),
	('oldtown.example', 22, 22, '2026-03-04 01:00:00+00', 'received', 'public', ''),
	('oldtown.example', 23, 22, '2026-03-04 01:00:00+00', 'routed', 'staff', 'streets (table: Lamps: dark/lit)'),
	('oldtown.example', 24, 23, '2026-03-04 02:00:00+00', 'received', 'public', ''),
	('oldtown.example', 25, 24, '2026-03-04 03:00:00+00', 'received', 'public', ''),
	('oldtown.example', 26, 24, '2026-03-04 03:00:00+00', 'triage', 'staff', 'desk (triage)'),
	('hamlet.example', 27, 25, '2026-03-04 04:00:00+00', 'received', 'public', ''),
	('hamlet.example', 28, 25, '2026-03-04 04:00:00+00', 'routed', 'staff', 'all (table: snow)'),
	('oldtown.example', 29, 26, '2026-03-04 05:00:00+00', 'received', 'public', ''),
	('oldtown.example', 30, 26, '2026-03-04 05:00:00+00', 'routed', 'staff', 'parks (table: trees)'),
	('oldtown.example', 31, 27, '2026-03-04 06:00:00+00', 'received', 'public', ''),
	('oldtown.example', 32, 27, '2026-03-04 06:00:00+00', 'routed', 'staff', 'parks (table: trees)'),
	('oldtown.example', 33, 28, '2026-03-04 07:00:00+00', 'received', 'public', ''),
	('oldtown.example', 34, 28, '2026-03-04 07:00:00+00', 'routed', 'staff', 'parks (table: trees)'),
	('oldtown.example', 35, 29, '2026-03-04 08:00:00+00', 'received', 'public', ''),
	('oldtown.example', 36, 29, '2026-03-04 08:00:00+00', 'routed', 'staff', 'parks (table: trees)'),
	('oldtown.example', 37, 26, '2026-03-04 09:00:00+00', 'resolved', 'staff', '2026-000026'),
	('oldtown.example', 38, 28, '2026-03-04 11:00:00+00', 'rejected', 'staff', 'The tree stands in a private garden.'),
	('oldtown.example', 39, 17, '2026-03-04 13:00:00+00', 'status', 'public', 'closed'),
	('oldtown.example', 40, 17, '2026-03-04 13:00:00+00', 'note', 'public', 'Filled with asphalt.'),
	('oldtown.example', 41, 18, '2026-03-04 14:00:00+00', 'visibility', 'staff', 'private'),
	('oldtown.example', 42, 21, '2026-03-04 15:00:00+00', 'transferred', 'public', 'Street Works'),
	('oldtown.example', 43, 21, '2026-03-04 15:00:00+00', 'expected', 'staff', '2026-03-19T00:00:00+00:00'),
	('oldtown.example', 44, 22, '2026-03-04 16:00:00+00', 'status', 'public', 'closed'),
	('oldtown.example', 45, 22, '2026-03-04 16:00:00+00', 'note', 'public', 'A new bulb.'),
	('oldtown.example', 46, 22, '2026-03-04 17:00:00+00', 'status', 'public', 'open'),
	('oldtown.example', 47, 22, '2026-03-04 17:00:00+00', 'note', 'public', 'Dark again.'),
	('oldtown.example', 48, 7, '2026-03-01 10:00:00+00', 'status', 'public', 'closed'),
	('oldtown.example', 49, 7, '2026-03-01 10:00:00+00', 'note', 'public', 'Oiled.'),
	('oldtown.example', 50, 7, '2026-03-04 18:00:00+00', 'imported', 'staff', 'archive.csv, row 1; a service that the catalogue lacks: kept, with its name, as a retired one');

INSERT INTO public.request_token (jurisdiction_id, token, request_id, service_request_id, failure) VALUES
	('oldtown.example', '67a12f310a3450ce19967e4e6bd88e7a', 27, '', ''),
	('oldtown.example', 'f3f2509100bea4a3b22256a8e0f9fe86', 29, '', ''),
	('oldtown.example', '7accf0794e5336605659eeebe6ada24e', 26, '2026-000026', ''),
	('oldtown.example', '74512f6e6cf447188113725d1917c07f', 28, '', 'The tree stands in a private garden.');

INSERT INTO public.service (jurisdiction_id, code, name, group_name, is_active) VALUES
	('hamlet.example', 'snow', 'Snow', '', true),
	('oldtown.example', 'wells', 'Public well', 'Water', false),
	('oldtown.example', 'bridges', 'Bridges (2019)', '', false),
	('oldtown.example', 'potholes', 'Pothole', 'Streets', true),
	('oldtown.example', 'graffiti', 'Graffiti', 'Cleaning', true),
	('oldtown.example', 'trees', 'Tree & shrub', 'Parks', true),
	('oldtown.example', 'hotline', 'Something else', '', true),
	('oldtown.example', 'Lamps: dark/lit', 'Straßenlampe ☂', 'Streets', true);

INSERT INTO public.service_request (jurisdiction_id, id, service_request_id, service_code, status, detailed_status, outcome, status_notes, description, department, agency_responsible, route_reason, is_triage, service_notice, requested_at, updated_at, changed_at, expected_at, lat, long, point, address, address_id, zipcode, is_outside, areas, media_urls, answers, visibility, source, channel, possible_duplicate_of) VALUES
	('hamlet.example', 1, '1', 'snow', 'closed', '', '', 'A crew looked and found nothing to do.', 'Example 1: Snow', 'all', '', 'table: snow', false, '', '2025-12-08 18:16:19+00', '2025-12-28 13:50:49+00', '2025-12-28 13:50:49+00', NULL, 50.049423, 10.073831, '0101000020E6100000A9DC442DCD252440C9552C7E53064940', '', '', '', false, '{}', '{}', '[]', 'public', 'example', '', ''),
	('hamlet.example', 2, '2', 'snow', 'closed', '', '', 'The work is done.', 'Example 2: Snow', 'all', '', 'table: snow', false, '', '2025-12-24 17:28:59+00', '2025-12-26 19:17:14+00', '2025-12-26 19:17:14+00', NULL, 50.042035, 10.066827, '0101000020E6100000C6FA062637222440C824236761054940', '', '', '', false, '{}', '{}', '[]', 'public', 'example', '', ''),
	('hamlet.example', 3, '3', 'snow', 'closed', '', '', 'Passed on to the owner of the property.', 'Example 3: Snow', 'all', '', 'table: snow', false, '', '2026-02-02 14:07:23+00', '2026-02-02 23:16:53+00', '2026-02-02 23:16:53+00', NULL, 50.046581, 10.041068, '0101000020E610000002D369DD06152440B8CEBF5DF6054940', '', '', '', false, '{}', '{}', '[]', 'public', 'example', '', ''),
	('oldtown.example', 4, '2026-000004', 'wells', 'open', '', '', '', 'The pump is stuck.', 'streets', '', 'table: wells', false, '', '2026-03-02 14:00:00+00', '2026-03-02 14:00:00+00', '2026-03-02 14:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 6, 'A-1', 'potholes', 'closed', '', '', 'Filled.', 'By the station', '', 'Roads Agency', 'import', false, '', '2026-02-20 10:00:00+00', '2026-02-22 10:00:00+00', '2026-02-22 10:00:00+00', NULL, 60.17, 24.94, '0101000020E6100000713D0AD7A3F03840F6285C8FC2154E40', '1 Station Road', '', '00100', false, '{}', '{}', '[]', 'public', 'import', '', ''),
	('oldtown.example', 5, '2026-000005', 'potholes', 'open', '', '', '', 'Between the old wards and the new.', 'streets', '', 'table: potholes', false, 'Mended within ten days.', '2026-03-02 15:00:00+00', '2026-03-02 15:00:00+00', '2026-03-02 15:00:00+00', NULL, 60.195, 24.9414, '0101000020E610000054742497FFF03840295C8FC2F5184E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 19, '2026-000019', 'potholes', 'open', '', '', '', 'On the quay', 'port', '', 'service potholes, in area Harbour', false, 'Mended within ten days.', '2026-03-03 22:00:00+00', '2026-03-03 22:00:00+00', '2026-03-03 22:00:00+00', NULL, 60.12, 24.9414, '0101000020E610000054742497FFF038408FC2F5285C0F4E40', '', '', '', false, '{Harbour}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 20, '2026-000020', 'potholes', 'open', '', '', '', 'Far out', 'streets', '', 'table: potholes', false, 'Mended within ten days.', '2026-03-03 23:00:00+00', '2026-03-03 23:00:00+00', '2026-03-03 23:00:00+00', NULL, 61.5, 24.9414, '0101000020E610000054742497FFF038400000000000C04E40', '', '', '', true, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 23, '2026-000023', 'potholes', 'open', '', '', '', 'Only a test', '', '', 'test key', false, 'Mended within ten days.', '2026-03-04 02:00:00+00', '2026-03-04 02:00:00+00', '2026-03-04 02:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'unlisted', 'api', 'api', ''),
	('oldtown.example', 24, NULL, 'hotline', 'open', '', '', '', 'Please call me', 'desk', '', 'triage', true, 'We read every message.', '2026-03-04 03:00:00+00', '2026-03-04 03:00:00+00', '2026-03-04 03:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('hamlet.example', 25, '25', 'snow', 'open', '', '', '', '', 'all', '', 'table: snow', false, '', '2026-03-04 04:00:00+00', '2026-03-04 04:00:00+00', '2026-03-04 04:00:00+00', NULL, 50.05, 10.05, '0101000020E61000009A999999991924406666666666064940', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 27, NULL, 'trees', 'open', '', '', '', 'Ask for a survey.', 'parks', '', 'table: trees', false, '', '2026-03-04 06:00:00+00', '2026-03-04 06:00:00+00', '2026-03-04 06:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 28, NULL, 'trees', 'open', '', '', '', 'In a private garden.', 'parks', '', 'table: trees', false, '', '2026-03-04 07:00:00+00', '2026-03-04 07:00:00+00', '2026-03-04 07:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 29, NULL, 'trees', 'open', '', '', '', 'Nobody has looked yet.', 'parks', '', 'table: trees', false, '', '2026-03-04 08:00:00+00', '2026-03-04 08:00:00+00', '2026-03-04 08:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 26, '2026-000026', 'trees', 'open', '', '', '', 'A branch hangs low.', 'parks', '', 'table: trees', false, '', '2026-03-04 05:00:00+00', '2026-03-04 05:00:00+00', '2026-03-04 09:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 17, '2026-000017', 'potholes', 'closed', '', '', 'Filled with asphalt.', 'Deep & wide <careful>', 'streets', '', 'table: potholes', false, 'Mended within ten days.', '2026-03-03 20:00:00+00', '2026-03-04 13:00:00+00', '2026-03-04 13:00:00+00', NULL, 60.1718, 24.9414, '0101000020E610000054742497FFF03840F5B9DA8AFD154E40', '', '', '', false, '{}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 18, '2026-000018', 'potholes', 'open', '', '', '', 'The same hole?', 'streets', '', 'table: potholes', false, 'Mended within ten days.', '2026-03-03 21:00:00+00', '2026-03-04 14:00:00+00', '2026-03-04 14:00:00+00', NULL, 60.1719, 24.9414, '0101000020E610000054742497FFF038405917B7D100164E40', '', '', '', false, '{}', '{}', '[]', 'private', 'api', 'api', '2026-000017'),
	('oldtown.example', 21, '2026-000021', 'graffiti', 'open', '', '', '', '', 'streets', '', 'table: graffiti', false, '', '2026-03-04 00:00:00+00', '2026-03-04 15:00:00+00', '2026-03-04 15:00:00+00', '2026-03-19 00:00:00+00', NULL, NULL, NULL, '5 Mill Lane', '', '', false, '{}', '{https://pictures.example.org/wall.jpg,https://pictures.example.org/wall-2.jpg}', '[{"code": "SURFACE", "values": ["brick"]}, {"code": "TAGS", "values": ["a", "b"]}, {"code": "NOTE", "values": ["Ring at number 7."]}]', 'public', 'api', 'api', ''),
	('oldtown.example', 22, '2026-000022', 'Lamps: dark/lit', 'open', '', '', 'Dark again.', 'Dunkel 🙂 seit Tagen', 'streets', '', 'table: Lamps: dark/lit', false, '', '2026-03-04 01:00:00+00', '2026-03-04 17:00:00+00', '2026-03-04 17:00:00+00', NULL, 60.25, 24.9414, '0101000020E610000054742497FFF038400000000000204E40', '', '', '', false, '{North}', '{}', '[]', 'public', 'api', 'api', ''),
	('oldtown.example', 7, 'A-2', 'bridges', 'closed', '', '', 'Oiled.', 'It creaks', '', '', 'import', false, '', '2026-02-21 10:00:00+00', '2026-03-01 10:00:00+00', '2026-03-01 10:00:00+00', '2026-04-01 10:00:00+00', NULL, NULL, NULL, '', '', '', false, '{}', '{https://pictures.example.org/bridge.jpg}', '[]', 'public', 'import', '', '');

SELECT pg_catalog.setval('public.api_key_id_seq', 4, true);

SELECT pg_catalog.setval('public.request_event_id_seq', 50, true);

SELECT pg_catalog.setval('public.request_number', 17, true);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_jurisdiction_id_digest_key UNIQUE (jurisdiction_id, digest);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (jurisdiction_id, id);

ALTER TABLE ONLY public.change_mark
    ADD CONSTRAINT change_mark_pkey PRIMARY KEY (jurisdiction_id, at);

ALTER TABLE ONLY public.department
    ADD CONSTRAINT department_pkey PRIMARY KEY (jurisdiction_id, code);

ALTER TABLE ONLY public.edition
    ADD CONSTRAINT edition_pkey PRIMARY KEY (jurisdiction_id);

ALTER TABLE ONLY public.jurisdiction
    ADD CONSTRAINT jurisdiction_pkey PRIMARY KEY (jurisdiction_id);

ALTER TABLE ONLY public.publication
    ADD CONSTRAINT publication_jurisdiction_id_service_request_id_key UNIQUE (jurisdiction_id, service_request_id);

ALTER TABLE ONLY public.publication
    ADD CONSTRAINT publication_pkey PRIMARY KEY (jurisdiction_id, id);

ALTER TABLE ONLY public.repeatable_post
    ADD CONSTRAINT repeatable_post_pkey PRIMARY KEY (jurisdiction_id, api_key_id, client_key);

ALTER TABLE ONLY public.reporter
    ADD CONSTRAINT reporter_pkey PRIMARY KEY (jurisdiction_id, request_id);

ALTER TABLE ONLY public.request_event
    ADD CONSTRAINT request_event_pkey PRIMARY KEY (jurisdiction_id, id);

ALTER TABLE ONLY public.request_token
    ADD CONSTRAINT request_token_pkey PRIMARY KEY (jurisdiction_id, token);

ALTER TABLE ONLY public.service
    ADD CONSTRAINT service_pkey PRIMARY KEY (jurisdiction_id, code);

ALTER TABLE ONLY public.service_request
    ADD CONSTRAINT service_request_jurisdiction_id_service_request_id_key UNIQUE (jurisdiction_id, service_request_id);

ALTER TABLE ONLY public.service_request
    ADD CONSTRAINT service_request_pkey PRIMARY KEY (jurisdiction_id, id);

CREATE INDEX api_key_digest_idx ON public.api_key USING btree (digest);

CREATE INDEX publication_agency_idx ON public.publication USING btree (jurisdiction_id, agency, requested_at DESC, id DESC, lat, long) WHERE (visibility = 'public'::text);

CREATE INDEX publication_areas_idx ON public.publication USING gin (areas) WHERE ((visibility = 'public'::text) AND (areas <> '{}'::text[]));

CREATE INDEX publication_changed_idx ON public.publication USING btree (jurisdiction_id, changed_at, id) WHERE (visibility = 'public'::text);

CREATE INDEX publication_media_idx ON public.publication USING btree (jurisdiction_id, requested_at DESC, id DESC) WHERE ((visibility = 'public'::text) AND has_media);

CREATE INDEX publication_newest_idx ON public.publication USING btree (jurisdiction_id, requested_at DESC, id DESC, lat, long, changed_at) INCLUDE (digest, status, has_media) WHERE (visibility = 'public'::text);

CREATE INDEX publication_open_idx ON public.publication USING btree (jurisdiction_id, service_code, requested_at DESC, id DESC) WHERE ((visibility = 'public'::text) AND (status = 'open'::text));

CREATE INDEX publication_open_newest_idx ON public.publication USING btree (jurisdiction_id, requested_at DESC, id DESC) WHERE ((visibility = 'public'::text) AND (status = 'open'::text));

CREATE INDEX publication_point_idx ON public.publication USING gist (jurisdiction_id, point, requested_at) WHERE (visibility = 'public'::text);

CREATE INDEX publication_service_idx ON public.publication USING btree (jurisdiction_id, service_code, requested_at DESC, id DESC, lat, long) WHERE (visibility = 'public'::text);

CREATE INDEX publication_updated_idx ON public.publication USING btree (jurisdiction_id, updated_at, id, lat, long, changed_at) WHERE (visibility = 'public'::text);

CREATE INDEX publication_words_idx ON public.publication USING gin (words) WHERE (visibility = 'public'::text);

CREATE INDEX publication_written_idx ON public.publication USING btree (jurisdiction_id, written_by, id) WHERE was_public;

CREATE INDEX repeatable_post_created_idx ON public.repeatable_post USING btree (created_at);

CREATE INDEX request_event_request_idx ON public.request_event USING btree (jurisdiction_id, request_id);

CREATE INDEX request_token_request_idx ON public.request_token USING btree (jurisdiction_id, request_id);

CREATE INDEX service_request_service_idx ON public.service_request USING btree (jurisdiction_id, service_code);

ALTER TABLE ONLY public.change_mark
    ADD CONSTRAINT change_mark_jurisdiction_fkey FOREIGN KEY (jurisdiction_id) REFERENCES public.jurisdiction(jurisdiction_id);

ALTER TABLE ONLY public.department
    ADD CONSTRAINT department_jurisdiction_fkey FOREIGN KEY (jurisdiction_id) REFERENCES public.jurisdiction(jurisdiction_id);

ALTER TABLE ONLY public.edition
    ADD CONSTRAINT edition_jurisdiction_fkey FOREIGN KEY (jurisdiction_id) REFERENCES public.jurisdiction(jurisdiction_id);

ALTER TABLE ONLY public.publication
    ADD CONSTRAINT publication_service_request_fkey FOREIGN KEY (jurisdiction_id, id) REFERENCES public.service_request(jurisdiction_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.repeatable_post
    ADD CONSTRAINT repeatable_post_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id) REFERENCES public.service_request(jurisdiction_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.reporter
    ADD CONSTRAINT reporter_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id) REFERENCES public.service_request(jurisdiction_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.request_event
    ADD CONSTRAINT request_event_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id) REFERENCES public.service_request(jurisdiction_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.request_token
    ADD CONSTRAINT request_token_service_request_fkey FOREIGN KEY (jurisdiction_id, request_id) REFERENCES public.service_request(jurisdiction_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.service
    ADD CONSTRAINT service_jurisdiction_fkey FOREIGN KEY (jurisdiction_id) REFERENCES public.jurisdiction(jurisdiction_id);

ALTER TABLE ONLY public.service_request
    ADD CONSTRAINT service_request_service_fkey FOREIGN KEY (jurisdiction_id, service_code) REFERENCES public.service(jurisdiction_id, code);

ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER USER;
SELECT pg_catalog.set_config('search_path', '', false);

INSERT INTO public.procrastinate_jobs (id, queue_name, task_name, priority, lock, queueing_lock, args, status, scheduled_at, attempts, abort_requested, worker_id) VALUES
	(1, 'default', 'republish', 0, NULL, 'republish:oldtown.example', '{"jurisdiction_id": "oldtown.example"}', 'todo', NULL, 0, false, NULL),
	(2, 'default', 'resolve', 0, NULL, NULL, '{"token": "7accf0794e5336605659eeebe6ada24e", "number": 26, "jurisdiction_id": "oldtown.example"}', 'todo', NULL, 0, false, NULL),
	(3, 'default', 'resolve', 0, NULL, NULL, '{"token": "67a12f310a3450ce19967e4e6bd88e7a", "number": 27, "jurisdiction_id": "oldtown.example"}', 'todo', NULL, 0, false, NULL),
	(4, 'default', 'resolve', 0, NULL, NULL, '{"token": "74512f6e6cf447188113725d1917c07f", "number": 28, "jurisdiction_id": "oldtown.example"}', 'todo', NULL, 0, false, NULL),
	(5, 'default', 'resolve', 0, NULL, NULL, '{"token": "f3f2509100bea4a3b22256a8e0f9fe86", "number": 29, "jurisdiction_id": "oldtown.example"}', 'todo', NULL, 0, false, NULL),
	(6, 'default', 'resolve', 0, NULL, NULL, '{"token": "67a12f310a3450ce19967e4e6bd88e7a", "number": 27, "jurisdiction_id": "oldtown.example"}', 'todo', '2026-03-04 11:00:00+00', 0, false, NULL);

INSERT INTO public.procrastinate_events (id, job_id, type, at) VALUES
	(1, 1, 'deferred', '2026-11-28 22:50:41.117138+00'),
	(2, 2, 'deferred', '2026-11-28 22:50:41.333915+00'),
	(3, 3, 'deferred', '2026-11-28 22:50:41.34152+00'),
	(4, 4, 'deferred', '2026-11-28 22:50:41.35366+00'),
	(5, 5, 'deferred', '2026-11-28 22:50:41.367742+00'),
	(6, 6, 'scheduled', '2026-03-04 11:00:00+00'),
	(7, 6, 'deferred', '2026-11-28 22:50:41.412889+00');

SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 7, true);

SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 6, true);

SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 1, false);

SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 1, false);

ALTER TABLE public.procrastinate_jobs ENABLE TRIGGER USER;
