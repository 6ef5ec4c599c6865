// Swagger UI comes with the package fastapi-swagger; what it shows is what the server says of itself.

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#operations",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null, // a site outside
});
