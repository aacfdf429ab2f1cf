using Google.Protobuf.Reflection;

namespace KpiControl.Control.Rest;

/// <summary>Holds the path's and the query's values against the message; the transcoding passes over unknown ones.</summary>
internal static class RequestFieldsCheck
{
    /// <param name="inQuery">Whether a field may stand in the query: with a body, what the body holds may not.</param>
    public static void Check(HttpRequest request, MessageDescriptor type, Func<string, bool> inQuery)
    {
        var faults = new FieldFaults();
        foreach (var (name, value) in request.RouteValues)
            if (type.FindFieldByName(name) is { } field && ScalarText.Fault(field, value?.ToString() ?? "") is { } fault)
                faults.Add(name, fault);
        foreach (var (name, values) in request.Query)
        {
            var field = type.FindFieldByName(name);
            if (field is null || request.RouteValues.ContainsKey(name))
                faults.Unknown(name, name, type, " as a parameter");
            else if (!inQuery(name))
                faults.Add(name, "belongs in the body");
            else if (values.Count > 1 && !field.IsRepeated)
                faults.Add(name, "stands twice");
            else if (values.Select(v => ScalarText.Fault(field, v ?? "")).FirstOrDefault(f => f is not null) is { } fault)
                faults.Add(name, fault);
        }
        faults.ThrowIfAny();
    }
}
