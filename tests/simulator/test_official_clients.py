"""Microsoft's own libraries against the simulated cloud: what they accept, our client may rely on.

msal insists on https, so its ``http_client`` here presents the cloud as Microsoft's public login host and carries its requests
to loopback.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msal
import pytest
import requests
from azure.core.credentials import AccessToken
from cryptography.hazmat.primitives import hashes
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.service_principals.service_principals_request_builder import ServicePrincipalsRequestBuilder as Builder
from msgraph_core.tasks.page_iterator import PageIterator
from tests.simulator.cloud import Running, running
from tests.simulator.test_login_tokens import Pair

LOGIN = "https://login.microsoftonline.com"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Running]:
    with running(consented=True, plugins=30) as server:
        yield server


class Carrier:
    """msal's ``http_client``: https to the public login host becomes http to the simulated one, there and back."""

    def __init__(self, cloud: Running) -> None:
        self.cloud = cloud
        self.session = requests.Session()

    def get(self, url: str, **given: Any) -> requests.Response:
        return self._back(self.session.get(self._there(url), **given))

    def post(self, url: str, **given: Any) -> requests.Response:
        return self._back(self.session.post(self._there(url), **given))

    def close(self) -> None:
        self.session.close()

    def _there(self, url: str) -> str:
        return url.replace(LOGIN, self.cloud.url, 1)

    def _back(self, response: requests.Response) -> requests.Response:
        response._content = response.content.replace(self.cloud.url.encode(), LOGIN.encode())
        return response


def application(cloud: Running, credential: Any, *, tenant: str | None = None) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        cloud.info["client_id"],
        client_credential=credential,
        authority=f"{LOGIN}/{tenant or cloud.info['tenant_id']}",
        instance_discovery=False,
        http_client=Carrier(cloud),
    )


def msal_token(cloud: Running, credential: Any, **given: Any) -> dict[str, Any]:
    answer: dict[str, Any] = application(cloud, credential, **given).acquire_token_for_client(["https://graph.microsoft.com/.default"])
    return answer


def test_msal_gets_a_token_with_a_secret(cloud: Running) -> None:
    answer = msal_token(cloud, cloud.info["client_secret"])
    assert (answer["token_source"], answer["token_type"]) == ("identity_provider", "Bearer")


def test_msal_gets_a_token_with_a_certificate_in_both_forms(cloud: Running) -> None:
    pair = Pair()
    credential = {"private_key": pair.private_pem(), "public_certificate": pair.pem}
    assert msal_token(cloud, credential)["error_codes"] == [700027]
    cloud.order("certificate/add", registration="reader", pem=pair.pem)
    assert "access_token" in msal_token(cloud, credential)
    old_form = {"private_key": pair.private_pem(), "thumbprint": pair.certificate.fingerprint(hashes.SHA1()).hex()}
    assert "access_token" in msal_token(cloud, old_form)


def test_msal_reports_refusals_with_their_numbers(cloud: Running) -> None:
    wrong = msal_token(cloud, "wrong")
    assert (wrong["error"], wrong["error_codes"]) == ("invalid_client", [7000215])
    missing = msal_token(cloud, cloud.info["client_secret"], tenant=cloud.info["other_tenant_id"])
    assert (missing["error"], missing["error_codes"]) == ("unauthorized_client", [700016])
    with pytest.raises(ValueError, match="22222222"):
        msal_token(cloud, "any", tenant="22222222-2222-2222-2222-222222222222")


class StaticCredential:
    """azure-core's credential protocol over a token that is there already."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *scopes: str, **given: Any) -> AccessToken:
        del scopes, given
        return AccessToken(self.token, int(time.time()) + 3000)


def sdk(cloud: Running, token: str) -> GraphServiceClient:
    """The official SDK, pointed at the simulated Graph."""
    provider = AzureIdentityAuthenticationProvider(StaticCredential(token), scopes=[f"{cloud.url}/.default"])
    adapter = GraphRequestAdapter(provider, client=httpx.AsyncClient(timeout=5))
    adapter.base_url = f"{cloud.url}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run in a thread: the browser tests keep a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(30)


def test_graph_sdk_lists_service_principals_over_pages(cloud: Running) -> None:
    async def names() -> list[str]:
        client = sdk(cloud, cloud.token().json()["access_token"])
        query = Builder.ServicePrincipalsRequestBuilderGetQueryParameters(top=7)
        first = await client.service_principals.get(RequestConfiguration(query_parameters=query))
        assert first is not None
        assert first.odata_next_link
        seen: list[str] = []
        await PageIterator(response=first, request_adapter=client.request_adapter).iterate(lambda row: seen.append(row.id) or True)
        return seen

    expected = list(next(iter(cloud.cloud.tenants.values())).directory.service_principals)
    assert sorted(run(names())) == sorted(expected)


def test_graph_sdk_understands_refusals(cloud: Running) -> None:
    async def ask() -> None:
        await sdk(cloud, cloud.token("tenant").json()["access_token"]).service_principals.get()

    with pytest.raises(ODataError) as refused:
        run(ask())
    assert refused.value.response_status_code == 403
    assert refused.value.error
    assert refused.value.error.code == "Authorization_RequestDenied"
