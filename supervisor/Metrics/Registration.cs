using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Vks.Supervisor.Metrics;

/// <summary>Tells the API servers where metrics.k8s.io is served: a Service without pods, its endpoint here, and the APIService.</summary>
internal sealed class Registration(IKubernetes client)
{
    /// <summary>Makes them, or brings them up to date.</summary>
    public async Task PutAsync(MetricsOptions options, X509Certificate2 certificate, CancellationToken cancellationToken)
    {
        V1ObjectMeta meta = new() { Name = MetricsOptions.Service, NamespaceProperty = MetricsOptions.Namespace };
        V1Service service = new()
        {
            Metadata = meta,
            Spec = new V1ServiceSpec { Ports = [new V1ServicePort { Name = "https", Port = 443, TargetPort = options.Port, Protocol = "TCP" }] },
        };
        V1Endpoints endpoints = new()
        {
            Metadata = meta,
            Subsets =
            [
                new V1EndpointSubset
                {
                    Addresses = [new V1EndpointAddress { Ip = options.Address.ToString() }],
                    Ports = [new Corev1EndpointPort { Name = "https", Port = options.Port, Protocol = "TCP" }],
                },
            ],
        };
        V1APIService api = new()
        {
            Metadata = new V1ObjectMeta { Name = $"{MetricsApi.Version}.{MetricsApi.Group}" },
            Spec = new V1APIServiceSpec
            {
                Group = MetricsApi.Group,
                Version = MetricsApi.Version,
                GroupPriorityMinimum = 100,
                VersionPriority = 100,
                Service = new Apiregistrationv1ServiceReference { Name = MetricsOptions.Service, NamespaceProperty = MetricsOptions.Namespace, Port = 443 },
                CaBundle = Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()),
            },
        };
        if (!await TryAsync(client.CoreV1.CreateNamespacedServiceAsync(service, MetricsOptions.Namespace, cancellationToken: cancellationToken)))
        {
            V1Service present = await client.CoreV1.ReadNamespacedServiceAsync(MetricsOptions.Service, MetricsOptions.Namespace, cancellationToken: cancellationToken);
            present.Spec.Ports = service.Spec.Ports;
            await client.CoreV1.ReplaceNamespacedServiceAsync(present, MetricsOptions.Service, MetricsOptions.Namespace, cancellationToken: cancellationToken);
        }

        if (!await TryAsync(client.CoreV1.CreateNamespacedEndpointsAsync(endpoints, MetricsOptions.Namespace, cancellationToken: cancellationToken)))
        {
            await client.CoreV1.ReplaceNamespacedEndpointsAsync(endpoints, MetricsOptions.Service, MetricsOptions.Namespace, cancellationToken: cancellationToken);
        }

        if (!await TryAsync(client.ApiregistrationV1.CreateAPIServiceAsync(api, cancellationToken: cancellationToken)))
        {
            V1APIService present = await client.ApiregistrationV1.ReadAPIServiceAsync(api.Name(), cancellationToken: cancellationToken);
            present.Spec = api.Spec;
            await client.ApiregistrationV1.ReplaceAPIServiceAsync(present, api.Name(), cancellationToken: cancellationToken);
        }
    }

    /// <returns>False when it is there already.</returns>
    private static async Task<bool> TryAsync(Task creation)
    {
        try
        {
            await creation;
            return true;
        }
        catch (HttpOperationException fault) when (fault.Response.StatusCode == HttpStatusCode.Conflict)
        {
            return false;
        }
    }
}
