using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KpiControl.Samples.KpiService;

/// <summary><c>POST /calls/execute</c>: who calls, whether the fence still counts, what the KPI is, and the answer.</summary>
internal sealed class CallEndpoint(string token, SampleKpis kpis, Publications publications)
{
    private static readonly JsonSerializerOptions Wire = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public async Task<IResult> ExecuteAsync(HttpRequest request, TimeProvider time, CancellationToken cancelled)
    {
        try
        {
            Authenticate(request);
            var key = $"{Header(request, "X-Tenant-Id")} {Header(request, "X-Idempotency-Key")}";
            var fence = Header(request, "X-Fence");
            var text = await new StreamReader(request.Body).ReadToEndAsync(cancelled);
            if (publications.Enter(key, fence, text) is { } before)
                return Results.Bytes(before, "application/json");
            var answer = JsonSerializer.SerializeToUtf8Bytes(Answer(JsonSerializer.Deserialize<CallRequest>(text, Wire)!, time));
            publications.Publish(key, fence, text, answer);
            return Results.Bytes(answer, "application/json");
        }
        catch (Refusal refusal)
        {
            return Results.Json(new { error = refusal.Code, message = refusal.Message }, statusCode: refusal.Status);
        }
        catch (JsonException)
        {
            return Results.Json(new { error = "SCHEMA_MISMATCH", message = "the body is no KPI Call" }, statusCode: 400);
        }
        catch (FileNotFoundException error)
        {
            return Results.Json(new { error = "MISSING_GDP", message = $"{Path.GetFileName(error.FileName)} is not there" }, statusCode: 424);
        }
    }

    private void Authenticate(HttpRequest request)
    {
        var sent = Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString());
        if (!CryptographicOperations.FixedTimeEquals(sent, Encoding.UTF8.GetBytes($"Bearer {token}")))
            throw new Refusal(401, "UNAUTHENTICATED", "the bearer token is missing or wrong");
    }

    private static string Header(HttpRequest request, string name) => request.Headers[name].ToString() is { Length: > 0 } value
        ? value : throw new Refusal(400, "SCHEMA_MISMATCH", $"header {name} is missing");

    private JsonObject Answer(CallRequest call, TimeProvider time)
    {
        var found = kpis.Compute(call);
        var extensions = call.Extensions.Values.SelectMany(names => names).ToArray();
        return new JsonObject
        {
            ["kpi_id"] = call.KpiId, ["contract_version"] = call.ContractVersion, ["run_id"] = Guid.CreateVersion7().ToString(), ["scd_view"] = call.ScdView,
            ["data"] = new JsonArray([.. found.Rows.Select(row => (JsonNode)row)]),
            ["applied_extensions"] = new JsonArray([.. extensions.Select(name => (JsonNode)name)]),
            ["lineage"] = new JsonObject { ["sources"] = new JsonArray([.. found.Tables.Select(table => new JsonObject { ["type"] = "gdp", ["table"] = table.Name, ["version"] = table.Version })]) },
            ["meta"] = new JsonObject { ["generated_at"] = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ"), ["warnings"] = new JsonArray() },
        };
    }
}
