using System.Text;
using System.Text.Json;

namespace KpiControl.Cli.Connection;

/// <summary>
/// What a bearer token says of itself, read without verifying: to say why the server refused it, and to spare typing
/// the tenant. Nothing is decided by it; the server verifies.
/// </summary>
internal sealed record TokenClaims(DateTimeOffset? Expiry, string? OnlyTenant, string? Subject)
{
    private static readonly TokenClaims None = new(null, null, null);

    public static TokenClaims Of(string? token)
    {
        if (token?.Split('.') is not [_, var payload, _] || PayloadOf(payload) is not { } claims)
            return None;
        using (claims)
        {
            var root = claims.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return None;
            var tenants = Texts(root, "kpi_roles").Select(role => role.Split('/')[0]).Distinct().ToArray();
            return new TokenClaims(ExpiryOf(root), tenants is [not "*" and { Length: > 0 }] ? tenants[0] : null, Texts(root, "sub").FirstOrDefault());
        }
    }

    private static DateTimeOffset? ExpiryOf(JsonElement root) =>
        root.TryGetProperty("exp", out var exp) && exp.TryGetInt64(out var seconds) && seconds is > 0 and < 253402300800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;

    private static IEnumerable<string> Texts(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var claim))
            return [];
        var values = claim.ValueKind == JsonValueKind.Array ? claim.EnumerateArray().ToArray() : [claim];
        return values.Where(value => value.ValueKind == JsonValueKind.String).Select(value => value.GetString()!);
    }

    private static JsonDocument? PayloadOf(string payload)
    {
        try
        {
            var padded = payload.Replace('-', '+').Replace('_', '/').PadRight((payload.Length + 3) / 4 * 4, '=');
            return JsonDocument.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(padded)));
        }
        catch (Exception notJwt) when (notJwt is FormatException or JsonException)
        {
            return null;
        }
    }
}
