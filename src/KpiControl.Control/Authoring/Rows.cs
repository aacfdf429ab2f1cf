using System.Text.Json;

namespace KpiControl.Control.Authoring;

/// <summary>Many rows as one parameter, for jsonb_to_recordset: a statement is sent once, whether it writes one job or a thousand.</summary>
internal static class Rows
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static string Json<T>(IReadOnlyList<T> rows) => JsonSerializer.Serialize(rows, Words);
}
