using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Testing.Stores;
using Microsoft.AspNetCore.Http;

namespace KpiControl.EndToEnd.Tests.Canaries;

/// <summary>A KPI service that repeats the token that it was sent, in every form, in all that it answers: <c>/values</c> well, <c>/error</c> with 500.</summary>
internal static class EchoService
{
    public static Task<StoreServer> StartAsync() => StoreServer.StartAsync(AnswerAsync);

    private static async Task AnswerAsync(HttpContext context)
    {
        var call = (await JsonNode.ParseAsync(context.Request.Body))!;
        var sent = context.Request.Headers.Authorization.ToString();
        var echo = string.Join(' ', new[] { sent, sent["Bearer ".Length..] }.SelectMany(Forms));
        if (context.Request.Path.StartsWithSegments("/error"))
        {
            context.Response.StatusCode = 500;
            await context.Response.WriteAsJsonAsync(new JsonObject { ["error"] = "INTERNAL", ["message"] = sent + " " + Convert.ToBase64String(Encoding.UTF8.GetBytes(sent)) });
            return;
        }
        var row = new JsonObject { ["period"] = call["time"]!["range"]!["to"]!.GetValue<string>(), ["company_id"] = echo, ["value"] = 42 };
        await context.Response.WriteAsJsonAsync(new JsonObject
        {
            ["kpi_id"] = call["kpi_id"]!.DeepClone(), ["contract_version"] = call["contract_version"]!.DeepClone(), ["run_id"] = echo,
            ["data"] = new JsonArray(row), ["applied_extensions"] = new JsonArray(), ["meta"] = new JsonObject { ["warnings"] = new JsonArray(echo) },
        });
    }

    private static IEnumerable<string> Forms(string text) =>
        [text, Uri.EscapeDataString(text), System.Text.Json.JsonSerializer.Serialize(text), Convert.ToBase64String(Encoding.UTF8.GetBytes(text)), Convert.ToHexString(Encoding.UTF8.GetBytes(text))];
}
