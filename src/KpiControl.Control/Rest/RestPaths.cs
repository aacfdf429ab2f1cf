using Microsoft.AspNetCore.Grpc.JsonTranscoding;
using Microsoft.AspNetCore.Routing.Template;

namespace KpiControl.Control.Rest;

internal static class RestPaths
{
    /// <summary>The HTTP methods that are served at a path, as the Allow header lists them.</summary>
    public static string MethodsAt(EndpointDataSource endpoints, PathString path) => string.Join(", ", endpoints.Endpoints.OfType<RouteEndpoint>()
        .Where(e => e.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is not null && e.RoutePattern.RawText is not null
            && new TemplateMatcher(TemplateParser.Parse(e.RoutePattern.RawText), []).TryMatch(path, []))
        .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []).Distinct().Order(StringComparer.Ordinal));
}
