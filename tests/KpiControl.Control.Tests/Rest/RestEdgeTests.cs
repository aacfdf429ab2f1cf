using System.Text.Json.Nodes;

namespace KpiControl.Control.Tests.Rest;

public sealed class RestEdgeTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    [Theory]
    [InlineData("""{"tenant": "acme", "nmae": "erp"}""", "nmae", "did you mean name?")]
    [InlineData("""{"tenant": "acme", "name": "erp", "name": "x"}""", "name", "stands twice (line 1, column 35)")]
    [InlineData("""{"tenant": 7, "name": "erp"}""", "tenant", "must be a text (line 1, column 12)")]
    [InlineData("""{"tenant": "acme", "name": "erp", "validate_only": "yes"}""", "validate_only", "must be true or false")]
    [InlineData("[]", "body", "must be an object")]
    [InlineData("{\n  \"tenant\": acme\n}", "body", "is not JSON at line 2, column 13")]
    [InlineData("""{"tenant": "acme"} trailing""", "body", "is not JSON at line 1, column 20")]
    [InlineData("""{"tenant": "acme", }""", "body", "is not JSON")]
    public async Task A_body_that_says_something_else_is_refused_by_name_and_place(string body, string field, string says)
    {
        var (status, error) = await fixture.PostAsync("/api/signals", body);
        Assert.Equal(400, status);
        Assert.Equal(3, error["code"]!.GetValue<int>());
        var violation = Details(error, "BadRequest")!["fieldViolations"]![0]!;
        Assert.Equal(field, violation["field"]!.GetValue<string>());
        Assert.Contains(says, violation["description"]!.GetValue<string>());
        Assert.Equal("kpicontrol", Details(error, "ErrorInfo")!["domain"]!.GetValue<string>());
    }

    [Fact]
    public async Task All_mistakes_are_told_at_once()
    {
        var (_, error) = await fixture.PostAsync("/api/refreshes", """{"a": 1, "data_through": "yesterday", "validate_only": 1}""");
        Assert.Equal(["a", "data_through", "validate_only"], Details(error, "BadRequest")!["fieldViolations"]!.AsArray().Select(v => v!["field"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("/api/signals?page_siez=3", "page_siez", "did you mean page_size?")]
    [InlineData("/api/signals?page_size=three", "page_size", "is not a whole number")]
    [InlineData("/api/signals?name=a&name=b", "name", "stands twice")]
    [InlineData("/api/agents?include_ended=perhaps", "include_ended", "is neither true nor false")]
    public async Task A_parameter_that_is_not_known_or_not_its_type_is_refused(string path, string field, string says)
    {
        var (status, error) = await fixture.GetAsync(path);
        Assert.Equal(400, status);
        var violation = Details(error, "BadRequest")!["fieldViolations"]![0]!;
        Assert.Equal(field, violation["field"]!.GetValue<string>());
        Assert.Contains(says, violation["description"]!.GetValue<string>());
    }

    [Fact]
    public async Task An_empty_body_counts_as_an_empty_object()
    {
        var (status, error) = await fixture.PostAsync("/api/signals", [], type: null);
        Assert.Equal(400, status);
        Assert.Contains("name: is missing", error["message"]!.GetValue<string>());
    }

    [Fact]
    public async Task Bytes_that_are_not_UTF8_are_refused_with_their_place()
    {
        var (status, error) = await fixture.PostAsync("/api/signals", [.. "{\"tenant\": \""u8, 0xC3, 0x28, .. "\"}"u8], "application/json");
        Assert.Equal((400, "body: is not UTF-8 from byte 13 on"), (status, error["message"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("GET", "/api/nothing", 404, 5)]
    [InlineData("DELETE", "/api/signals", 405, 12)]
    public async Task Paths_and_verbs_that_nobody_serves_are_a_status(string method, string path, int http, int code)
    {
        var (status, error) = await fixture.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Equal((http, code), (status, error["code"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Another_media_type_and_a_huge_body_are_a_status()
    {
        var (form, said) = await fixture.PostAsync("/api/signals", "name=erp", "application/x-www-form-urlencoded");
        Assert.Equal((415, 3), (form, said["code"]!.GetValue<int>()));
        // A client that asks first hears the refusal before it has sent anything.
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/signals") { Content = new StringContent(new string(' ', (4 << 20) + 1)) };
        request.Headers.ExpectContinue = true;
        var (huge, large) = await fixture.SendAsync(request);
        Assert.Equal((413, 8), (huge, large["code"]!.GetValue<int>()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not-a-token")]
    public async Task Without_a_good_token_nothing_of_the_request_is_looked_at(string token)
    {
        var (status, error) = await fixture.PostAsync("/api/signals", "{ nonsense", token: token);
        Assert.Equal((401, 16), (status, error["code"]!.GetValue<int>()));
        var (viewer, denied) = await fixture.PostAsync("/api/signals", "{ nonsense", token: fixture.Issuer.Token("auditor"));
        Assert.Equal((403, 7), (viewer, denied["code"]!.GetValue<int>()));
        Assert.Equal("Run", Details(denied, "ErrorInfo")!["metadata"]!["verb"]!.GetValue<string>());
    }

    [Fact]
    public async Task The_wire_has_the_seeds_names_and_ids_are_numbers()
    {
        var (_, published) = await fixture.PostAsync("/api/signals", """{"tenant": "acme", "name": "erp", "business_date": "2026-01-01"}""");
        Assert.Equal(System.Text.Json.JsonValueKind.Number, published["signal_id"]!.GetValueKind());
        var (status, listed) = await fixture.GetAsync("/api/signals?name=erp");
        Assert.Equal(200, status);
        Assert.Equal("2026-01-01", listed["facts"]![0]!["business_date"]!.GetValue<string>());
        Assert.Null(listed["facts"]![0]!["data_through"]);
    }

    private static JsonNode? Details(JsonNode error, string type) =>
        error["details"]!.AsArray().FirstOrDefault(d => d!["@type"]!.GetValue<string>() == $"type.googleapis.com/google.rpc.{type}");
}
